# syntax=docker/dockerfile:1
# Two images from one source, see docker-compose.yml:
#   docker build --target api .      HTTP alone, without torch
#   docker build --target worker .   runs jobs, with torch

FROM python:3.11.15-slim-bookworm AS base
# libexpat1: rasterio's wheel takes it from the system.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libexpat1 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 decloud \
    && useradd --uid 10001 --gid decloud --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin decloud \
    && install --directory --owner=decloud --group=decloud --mode=0700 /data
# The only places that are written: /data, a volume, and /tmp.
ENV PATH=/opt/decloud/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    DECLOUD_DATA=/data
# Python looks for modules here first: a place that no job writes to.
WORKDIR /opt/decloud

FROM base AS source
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/decloud
WORKDIR /source
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY seq2seq seq2seq
COPY worker worker
COPY api api
COPY decloud decloud

FROM source AS installed-api
RUN --mount=type=cache,target=/tmp/.cache/pip \
    pip install --constraint requirements.lock '.[service]'

FROM source AS installed-worker
# torch comes for CUDA. For CPUs alone and a smaller image: --build-arg TORCH_INDEX=URL, the index of torch's CPU builds.
ARG TORCH_INDEX=
RUN --mount=type=cache,target=/tmp/.cache/pip \
    pip install --constraint requirements.lock ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"} '.[core,clouds,cubes,xarray,service]'

FROM base AS api
COPY --from=installed-api /opt/decloud /opt/decloud
ENV DECLOUD_HOST=0.0.0.0
USER 10001:10001
EXPOSE 8000
# Alive, not ready: no restart brings back a database, or room on a disk.
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health/live', timeout=4)"]
CMD ["decloud", "serve"]

FROM base AS worker
# libgomp1: lightgbm's wheel takes it from the system.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/*
COPY --from=installed-worker /opt/decloud /opt/decloud
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 10001:10001
HEALTHCHECK --interval=30s --timeout=20s --start-period=60s --retries=3 CMD ["python", "-m", "worker.alive"]
CMD ["celery", "-A", "worker.app", "worker", "-P", "threads", "-c", "1", "-Q", "cpu"]
