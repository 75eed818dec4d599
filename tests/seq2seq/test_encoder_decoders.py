"""The 3-D encoder-decoder: sizes, equivalence with torch's own convolution, reproducibility, window statistics."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seq2seq.nn import encoder_decoders as network
from seq2seq.nn.convolutions import Conv3d, conv_stacked, has_fast_conv3d, reflect
from seq2seq.nn.encoder_decoders import EncoderDecoder3d, WindowNorm


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=seeded(1))


@settings(max_examples=12, deadline=None)
@given(
    batch=st.integers(1, 2),
    dates=st.integers(1, 4),
    height=st.integers(1, 70),
    width=st.integers(1, 20),
    out=st.integers(1, 3),
)
def test_any_number_of_dates_rows_and_columns_comes_back_in_its_own_size(
    batch: int, dates: int, height: int, width: int, out: int
) -> None:
    net = EncoderDecoder3d(2, out, widths=(4, 4, 4, 4, 4, 4), generator=seeded())
    output = net(noise(batch, 2, dates, height, width))
    assert output.shape == (batch, out, dates, height, width)
    assert output.dtype == torch.float32
    assert torch.isfinite(output).all()


def test_the_published_widths_give_the_published_scales() -> None:
    net = EncoderDecoder3d(2, 13, generator=seeded())
    widths, scale = [], net.scales
    while scale is not None:
        widths.append(scale.width)
        assert scale.down.conv.weight.shape[2:] == scale.refine.conv.weight.shape[2:] == (3, 5, 5)
        assert scale.up.conv.weight.shape[2:] == (3, 3, 3)
        assert scale.skip is not None
        assert scale.skip.conv.weight.shape[0] == 4
        scale = scale.deeper
    assert widths == [16, 32, 64, 128, 128, 128]


def test_dates_are_never_strided_and_space_is_halved_at_each_scale() -> None:
    net, sizes = EncoderDecoder3d(2, 3, widths=(4, 4, 4), generator=seeded()), []
    for module in net.modules():
        if isinstance(module, network.Scale):
            module.down.register_forward_hook(lambda _m, _i, output: sizes.append(tuple(output.shape[2:])))
    net(noise(1, 2, 5, 37, 16))
    assert sizes == [(5, 19, 8), (5, 10, 4), (5, 5, 2)]


@pytest.mark.parametrize("kernel", [(1, 1, 1), (3, 3, 3), (3, 5, 5), (5, 1, 3)])
@pytest.mark.parametrize("stride", [1, 2])
def test_convolution_equals_torchs_on_mirrored_space_and_repeated_time(
    kernel: tuple[int, int, int], stride: int
) -> None:
    conv = Conv3d(3, 4, kernel, stride=stride, bias=True, generator=seeded())
    x = noise(2, 3, 4, 9, 12)
    t, r, c = (size // 2 for size in kernel)
    padded = F.pad(F.pad(x, (c, c, r, r, 0, 0), mode="reflect"), (0, 0, 0, 0, t, t), mode="replicate")
    expected = F.conv3d(padded, conv.weight, conv.bias, stride=(1, stride, stride))
    torch.testing.assert_close(conv(x), expected)
    torch.testing.assert_close(conv(x[:1]), expected[:1])
    torch.testing.assert_close(conv_stacked(padded, conv.weight, conv.bias, stride), expected)


def test_stacking_serves_the_convolutions_that_torch_would_loop_over() -> None:
    assert not has_fast_conv3d(noise(1, 4, 5, 16, 16), (3, 3, 3))
    assert has_fast_conv3d(noise(2, 4, 5, 16, 16), (3, 3, 3))
    assert has_fast_conv3d(noise(1, 4, 5, 16, 16), (3, 5, 5))


@pytest.mark.parametrize("size", [1, 2])
def test_too_little_to_mirror_repeats_the_edge(size: int) -> None:
    x = noise(1, 1, 1, 1, size)
    assert torch.equal(reflect(x, 2, 4), F.pad(x, (2, 2, 0, 0, 0, 0), mode="replicate"))


def test_the_same_generator_state_gives_the_same_weights_and_leaves_the_global_state_alone() -> None:
    before = torch.random.get_rng_state()
    first, second, other = (EncoderDecoder3d(2, 3, widths=(4, 8), generator=seeded(s)) for s in (7, 7, 8))
    assert torch.equal(torch.random.get_rng_state(), before)
    x = noise(1, 2, 3, 8, 8)
    assert torch.equal(first(x), second(x))
    assert not torch.equal(first(x), other(x))


def test_every_window_of_a_batch_is_normalised_by_itself() -> None:
    net = EncoderDecoder3d(2, 3, widths=(4, 8), generator=seeded())
    windows = noise(2, 2, 3, 12, 12) * torch.tensor([1.0, 50.0])[:, None, None, None, None]
    torch.testing.assert_close(net(windows), torch.cat([net(windows[:1]), net(windows[1:])]), rtol=1e-4, atol=1e-5)


def test_normalisation_uses_the_windows_statistics_also_in_evaluation_mode() -> None:
    norm, x = WindowNorm(3), noise(1, 3, 4, 8, 8) * 5 + 2
    assert torch.equal(norm.train()(x), norm.eval()(x))
    torch.testing.assert_close(norm(x).mean((0, 2, 3, 4)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(norm(x).var((0, 2, 3, 4), unbiased=False), torch.ones(3), atol=1e-4, rtol=0)


def test_a_single_value_is_normalised_to_the_learnt_offset() -> None:
    norm = WindowNorm(2)
    norm.bias.data = torch.tensor([0.25, -1.0])
    assert norm(noise(1, 2, 1, 1, 1)).flatten().tolist() == [0.25, -1.0]


def test_sigmoid_bounds_the_output_and_may_be_left_out() -> None:
    x = noise(1, 2, 3, 8, 8)
    bounded = EncoderDecoder3d(2, 3, widths=(4, 8), generator=seeded())(x)
    free = EncoderDecoder3d(2, 3, widths=(4, 8), generator=seeded(), sigmoid=False)(x)
    torch.testing.assert_close(bounded, torch.sigmoid(free))


def test_every_parameter_gets_a_gradient_and_channels_lie_innermost() -> None:
    net = EncoderDecoder3d(2, 3, widths=(4, 8, 8), generator=seeded())
    output = net(noise(1, 2, 3, 20, 20))
    assert output.is_contiguous(memory_format=torch.channels_last_3d)
    (output - 0.3).square().mean().backward()
    without = [name for name, parameter in net.named_parameters() if parameter.grad is None]
    assert without == []


def test_an_even_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="odd"):
        Conv3d(1, 1, (2, 3, 3))


def test_it_overfits_a_small_sequence() -> None:
    net = EncoderDecoder3d(2, 3, widths=(8, 8), generator=seeded())
    x, target = noise(1, 2, 3, 16, 16), torch.sigmoid(noise(1, 3, 3, 16, 16).cumsum(-1) * 0.1)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    errors = []
    for _ in range(60):
        optimizer.zero_grad()
        error = (net(x) - target).square().mean()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    assert errors[-1] < 0.2 * errors[0]
