"""Two buses become one frame, smoothly and never beyond full scale."""

from __future__ import annotations

import numpy as np

from core.voice.playback.mixer import DUCKED, Excerpt, Mixer, limited

FRAME = 960


def constant(level: float) -> Excerpt:
    return Excerpt(np.full((FRAME, 2), level, np.float32), FRAME, abs(level))


def test_one_line_alone_goes_through_untouched() -> None:
    stereo = np.random.default_rng(1).uniform(-0.9, 0.9, (FRAME, 2)).astype(np.float32)
    np.testing.assert_array_equal(Mixer().mix(Excerpt(stereo.copy(), FRAME, 0.9), None), stereo)
    np.testing.assert_array_equal(Mixer().mix(None, Excerpt(stereo.copy(), FRAME, 0.9)), stereo)


def test_media_gives_way_to_speech_and_comes_back_without_a_jump() -> None:
    mixer = Mixer()
    frames = [mixer.mix(None, constant(0.5)) for _ in range(5)]
    frames += [mixer.mix(constant(0.0), constant(0.5)) for _ in range(10)]
    ducked = frames[-1][:, 0].copy()
    frames += [mixer.mix(None, constant(0.5)) for _ in range(60)]
    out = np.concatenate(frames)[:, 0]
    np.testing.assert_allclose(ducked, 0.5 * DUCKED, atol=1e-6)
    assert out[-1] == 0.5
    assert np.abs(np.diff(out)).max() < 0.001


def test_how_far_and_how_fast_music_gives_way() -> None:
    """What a person gets, in figures, whatever the constants are called."""
    mixer = Mixer()
    falling = np.concatenate([mixer.mix(constant(0.0), constant(0.5))[:, 0] for _ in range(10)])
    assert falling[-1] == np.float32(0.5) * np.float32(0.2)
    assert 0.06 <= np.argmax(falling < 0.11) / 48_000 <= 0.1
    rising = np.concatenate([mixer.mix(None, constant(0.5))[:, 0] for _ in range(60)])
    assert 0.35 <= np.argmax(rising > 0.11) / 48_000 <= 0.45
    assert 0.8 <= np.argmax(rising > 0.49) / 48_000 <= 1.0


def test_a_breath_between_sentences_does_not_bring_the_music_back() -> None:
    mixer = Mixer()
    for _ in range(10):
        mixer.mix(constant(0.1), constant(0.5))
    during = [mixer.mix(None, constant(0.5))[:, 0] for _ in range(15)]
    np.testing.assert_allclose(np.concatenate(during), 0.5 * DUCKED, atol=1e-6)


def test_a_new_volume_is_a_ramp_of_one_frame() -> None:
    mixer = Mixer()
    mixer.volume = 0.0
    frame = mixer.mix(constant(0.5), None)[:, 0]
    assert frame[0] == 0.5
    assert frame[-1] == 0.0
    assert np.abs(np.diff(frame)).max() < 0.001


def test_two_loud_lines_together_stay_below_full_scale() -> None:
    mixer = Mixer(volume=2.0)
    frames = [mixer.mix(constant(-0.95), constant(-0.95)) for _ in range(10)]
    assert min(frame.min() for frame in frames) >= -1.0
    assert max(frame.max() for frame in frames) < -0.9


def test_loud_sums_are_bent_below_full_scale_and_quiet_ones_left_alone() -> None:
    loud = np.linspace(-6, 6, 2 * FRAME, dtype=np.float32).reshape(FRAME, 2)
    out = limited(loud)
    assert np.abs(out).max() <= 1.0
    assert np.all(np.diff(out.ravel()) >= 0)  # monotonic: no fold-over
    quiet = np.abs(loud) <= 0.9
    np.testing.assert_array_equal(out[quiet], loud[quiet])
