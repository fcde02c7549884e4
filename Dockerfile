# The sidecar's image, from this repository alone:  docker build -t broker-sidecar:0.1.0 .
# Runs as user 10001 with a read-only root file system; nothing in it needs a shell.
# The base is pinned by its tag, and a tag can be moved. For a build that cannot change, give the digest that your registry
# shows for it: --build-arg PYTHON=python:3.13.7-slim-bookworm@sha256:…
ARG PYTHON=python:3.13.7-slim-bookworm

FROM ${PYTHON} AS build
WORKDIR /src
COPY requirements/run.txt requirements/build.txt requirements/
RUN ["python3", "-m", "venv", "/opt/build"]
RUN ["/opt/build/bin/pip", "install", "--no-cache-dir", "--require-hashes", "--requirement", "requirements/build.txt"]
RUN ["python3", "-m", "venv", "--without-pip", "/opt/sidecar"]
RUN ["/opt/build/bin/pip", "--python", "/opt/sidecar/bin/python", "install", "--no-cache-dir", \
     "--require-hashes", "--only-binary", ":all:", "--requirement", "requirements/run.txt"]
COPY pyproject.toml README.md LICENSE ./
COPY sidecar sidecar
RUN ["/opt/build/bin/pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", "/wheels", "."]
RUN ["/opt/build/bin/pip", "--python", "/opt/sidecar/bin/python", "install", "--no-cache-dir", "--no-index", \
     "--no-deps", "--find-links", "/wheels", "broker-sidecar"]
# Folders that belong to the sidecar's user, for whoever mounts nothing there.
RUN ["python3", "-c", "import os; [os.makedirs(f'/folders/{name}', 0o770) for name in ('run', 'state')]"]

FROM ${PYTHON}
LABEL org.opencontainers.image.title="broker-sidecar" \
      org.opencontainers.image.description="Keeps a trading bot's orders safe between it and its broker." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
COPY --from=build /opt/sidecar /opt/sidecar
COPY --from=build --chown=10001:10001 /folders/run /run/sidecar
COPY --from=build --chown=10001:10001 /folders/state /var/lib/sidecar
ENV PATH=/opt/sidecar/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /var/lib/sidecar
VOLUME ["/run/sidecar", "/var/lib/sidecar"]
EXPOSE 9464
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s \
  CMD ["sidecar", "status", "--config", "/etc/sidecar/sidecar.yaml"]
ENTRYPOINT ["sidecar"]
CMD ["run", "--config", "/etc/sidecar/sidecar.yaml"]
