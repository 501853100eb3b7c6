# syntax=docker/dockerfile:1
# The serving image: no torch, no compiler, not root; the file system can be read-only except /data.
FROM python:3.12-slim-bookworm AS build
WORKDIR /build
COPY requirements requirements
# Every file that is installed is pinned by its hash; nothing is resolved here.
RUN python -m venv /opt/nlp-service \
    && /opt/nlp-service/bin/pip install --no-cache-dir --require-hashes -r requirements/serve.lock \
    && python -m venv /opt/build \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes -r requirements/build.lock
COPY pyproject.toml README.md LICENSE NOTICE.md ./
COPY nlp_service nlp_service
COPY corpora/demo corpora/demo
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/nlp-service/bin/pip install --no-cache-dir --no-deps --no-index /wheels/*.whl

FROM python:3.12-slim-bookworm AS serve
RUN useradd --system --uid 10001 --home-dir /data --create-home nlp
COPY --from=build /opt/nlp-service /opt/nlp-service
COPY models /opt/models
ENV PATH=/opt/nlp-service/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    OMP_WAIT_POLICY=PASSIVE \
    NLP_SERVICE_HOST=0.0.0.0 \
    NLP_SERVICE_MODELS=/opt/models \
    NLP_SERVICE_DATABASE=sqlite:////data/nlp_service.db \
    NLP_SERVICE_LOG_FORMAT=json
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/readyz', timeout=2)"]
ENTRYPOINT ["nlp-service"]
CMD ["serve"]

# Training needs torch; build it with --target train.
FROM serve AS train
USER 0
COPY pyproject.toml README.md LICENSE NOTICE.md /src/
COPY nlp_service /src/nlp_service
COPY training /src/training
COPY corpora /src/corpora
RUN /opt/nlp-service/bin/pip install --no-cache-dir '/src[train]'
USER 10001
WORKDIR /src
ENTRYPOINT ["python", "-m", "training"]
CMD ["--help"]
