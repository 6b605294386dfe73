# Parley in a container: wheels alone, nothing from apt, and no rights beyond its own data folder.
FROM python:3.13-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1
WORKDIR /parley

COPY requirements.txt .
RUN pip install --only-binary :all: -r requirements.txt

COPY launcher.py config.toml ./
COPY core core
COPY cogs cogs
COPY launch launch
COPY loopback loopback
COPY migrations migrations
COPY characters characters

RUN useradd --system --uid 10001 --no-create-home parley && install -d -o parley -g parley data
USER parley
VOLUME /parley/data

STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "launcher.py"]
CMD ["run"]
