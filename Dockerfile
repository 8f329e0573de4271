# How this file is checked without Docker: docs/operations.md, "Containers".
FROM python:3.13-slim-bookworm AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app
RUN python -m venv /venv
COPY requirements.txt .
RUN /venv/bin/pip install --require-hashes -r requirements.txt
COPY . .
RUN PYTHONPATH=/app:/app/platform PORTICO_ENV=production PORTICO_STATIC_ROOT=/app/static \
    /venv/bin/python manage.py collectstatic --noinput \
    && /venv/bin/python -m compileall -q .

FROM python:3.13-slim-bookworm
ENV PATH=/venv/bin:$PATH \
    PYTHONPATH=/app:/app/platform \
    PYTHONUNBUFFERED=1 \
    PORTICO_ENV=production \
    PORTICO_VAR=/data \
    PORTICO_STATIC_ROOT=/app/static \
    HOST=0.0.0.0 \
    PORT=8000
RUN groupadd --gid 10001 portico \
    && useradd --uid 10001 --gid portico --no-create-home --home-dir /data portico \
    && install --directory --owner portico --group portico --mode 0700 /data
COPY --from=build /venv /venv
COPY --from=build /app /app
WORKDIR /app
USER portico
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/healthz', timeout=4)"]
STOPSIGNAL SIGTERM
CMD ["gunicorn", "portico.asgi:application"]
