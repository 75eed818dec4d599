"""Devices are named by what the machine has; precision follows the hardware."""

from contextlib import suppress
from pathlib import Path

import pytest
import torch

from seq2seq.errors import ConfigError
from seq2seq.nn import devices

CPU = torch.device("cpu")


def test_auto_is_the_best_device_there_is() -> None:
    assert str(devices.choose_device("auto")) == devices.available_devices()[0]


def test_cpu_is_always_there() -> None:
    assert devices.choose_device("cpu") == CPU


@pytest.mark.parametrize("name", ["cuda:99", "tpu", "", "cuda:x"])
def test_an_absent_device_is_refused_by_naming_what_is_there(name: str) -> None:
    with pytest.raises(ConfigError, match=r"not available; this machine has .*cpu"):
        devices.choose_device(name)


def test_cuda_means_the_first_card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert devices.choose_device("auto") == devices.choose_device("cuda") == torch.device("cuda:0")
    assert devices.choose_device("cuda:1") == torch.device("cuda:1")


@pytest.mark.parametrize(("has", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_cpu_multiplies_in_bfloat16_only_where_the_hardware_does(
    has: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: has)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    with devices.autocast(CPU):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype


def test_mps_is_left_in_float32() -> None:
    assert not devices.has_bfloat16(torch.device("mps"))


@pytest.mark.parametrize(
    ("text", "cores"), [("200000 100000\n", 2.0), ("50000 100000\n", 0.5), ("max 100000\n", None), ("nonsense", None)]
)
def test_a_containers_quota_is_read_in_cores(text: str, cores: float | None, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(text)
    assert devices._container_quota(tmp_path / "cpu.max") == cores


def test_threads_are_set_and_never_more_than_the_cores_by_default() -> None:
    before = torch.get_num_threads()
    try:
        assert devices.set_threads(1) == torch.get_num_threads() == 1
        assert devices.set_threads() == torch.get_num_threads() == devices.available_cores()
        with pytest.raises(ConfigError, match="at least 1"):
            devices.set_threads(0)
    finally:
        torch.set_num_threads(before)


def test_small_work_is_done_by_one_thread_and_afterwards_all_are_there_again() -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        with suppress(KeyboardInterrupt), devices.one_thread():
            assert torch.get_num_threads() == 1
            raise KeyboardInterrupt
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert [devices.threads_for(work, 100, 8) for work in (99, 100)] == [1, 8]


def test_peak_memory_grows_with_what_is_held() -> None:
    before = devices.peak_memory_gb(CPU)
    held = torch.ones(int((before + 0.1) * 2**28))  # float32: 2^28 of them are a GiB
    assert devices.peak_memory_gb() >= before + 0.09
    del held
