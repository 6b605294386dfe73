"""What people read about recordings, as Discord's markdown; people are mentioned by id, so no name is markup."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.names import plain, shown
from core.recording.gap_tracker import DEAFENED, UNENCRYPTED

if TYPE_CHECKING:
    from core.recording.live_recording import LiveRecording
    from core.recording.metadata import Metadata
    from core.store.recordings import RecordingRecord

MARKS = {"recording": "🔴", "rendering": "⏳", "finished": "✅", "failed": "⚠️"}
STATES = {
    "recording": "It is still being recorded.",
    "rendering": "Its files are being made.",
    "failed": "Its finished files could not be made; what was heard is safe in its folder.",
}
SHOWN_PEOPLE = 15
_SPEAKING_S = 0.6
_CHOICE_LENGTH = 100

ANNOUNCED = {
    "announce": "🔴 **This channel is being recorded**, everybody on a track of their own. Who does not want that "
    "presses “Don't record me”; what was recorded of them until then is deleted.",
    "opt_out": "🔴 **This channel is being recorded**, everybody on a track of their own. {people} Do you mind? Then press "
    "“Don't record me”; what was recorded of you until then is deleted.",
    "opt_in": "🔴 **This channel is being recorded**, but only who agrees is heard. {people} Press “Record me” to be on it.",
}
NEWCOMER = {
    "opt_out": "{people} This channel is being recorded. Do you mind? Then press “Don't record me”.",
    "opt_in": "{people} This channel is being recorded, but only who agrees is heard. Press “Record me” to be on it.",
}
NEVER_HEARD = "🔇 {person} has no track: none of what came could be decrypted ({count} packets)."
UNHEARD = " ({count} packets could not be decrypted)"
NOBODY = "The recording is over. Nobody spoke, so there is nothing to keep."
ONLY_NOTES = "Nobody spoke. Its notes are kept."
NO_ROOM = (
    "The recording is over. What was heard is safe, but my disk is full, so its finished files are not made yet. "
    "They will be as soon as there is room, and I say so then."
)
INTERRUPTED = "I was cut off in the middle of a recording. What was on disk is safe:"
FAILED = "The recording is over. What was heard is safe on disk, but the finished files could not be made; the log has the cause."


def clock(duration_s: float) -> str:
    """A length as people write it: 1:02:03 or 2:03."""
    minutes, seconds = divmod(round(duration_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def size(count: float) -> str:
    """A number of bytes as people write it."""
    return f"{count / 1e6:.1f} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"


def live_text(live: LiveRecording, now_s: float) -> str:
    """How a recording is going: state, length, and who was heard."""
    state = "⏸️ **Paused**" if live.paused else "🔴 **Recording**"
    lines = [f"{state} <#{live.record.channel_id}> · {clock(live.duration_s)} · {size(live.recorder.tracks.bytes)}"]
    heard = sorted(live.heard(), key=lambda person: person.last_s, reverse=True)
    for person in heard[:SHOWN_PEOPLE]:
        mark = "🔊" if now_s - person.last_s < _SPEAKING_S else "▫️"
        lines.append(f"{mark} <@{person.user_id}> {clock(person.sound_s)}")
        if person.fault is not None:
            lines.append(f"⚠️ {shown(person.fault, 300)}")
    if len(heard) > SHOWN_PEOPLE:
        lines.append(f"and {len(heard) - SHOWN_PEOPLE} more")
    if not heard:
        lines.append("Nobody was heard yet.")
    return "\n".join(lines)


def rendering_text(record: RecordingRecord, progress: float) -> str:
    """How far the finished files are."""
    done = round(progress * 10)
    return f"⏳ <#{record.channel_id}> · {clock(record.duration_s or 0)} · making the files {'▰' * done}{'▱' * (10 - done)}"


def transcribing_text(record: RecordingRecord, progress: float) -> str:
    """How far what was said is written down."""
    done = round(progress * 10)
    return f"{over_text(record)}\n📝 Writing down what was said {'▰' * done}{'▱' * (10 - done)}"


def transcribed_text(record: RecordingRecord, problem: str) -> str:
    """What is left of a panel when the transcript is there, or why there is none."""
    if problem:
        return f"{over_text(record)}\n⚠️ There is no transcript. {problem}"
    return f"{over_text(record)}\n📝 What was said: `/recordings transcript recording:{record.id}`"


def over_text(record: RecordingRecord) -> str:
    """What is left of a panel when the report is out."""
    return f"⏹️ <#{record.channel_id}> · {clock(record.duration_s or 0)} · the recording is over."


def finished_text(metadata: Metadata) -> str:
    """A finished recording: length, why it ended, who is on it, what was missed. Anybody may read it: it names no place."""
    lines = [
        f"{MARKS[metadata.state]} <#{metadata.channel.id}> · {clock(metadata.duration_s)} · {_count(len(metadata.people), 'person', 'people')}"
    ]
    if metadata.state in STATES:
        lines.append(STATES[metadata.state])
    if metadata.reason:
        lines.append(shown(metadata.reason, 300))
    if not metadata.people:
        lines.append(ONLY_NOTES)
    speakers = sorted(metadata.people, key=lambda person: (person.never_heard, person.speech_s), reverse=True)
    for person in speakers[:SHOWN_PEOPLE]:
        if person.never_heard:
            lines.append(NEVER_HEARD.format(person=f"<@{person.id}>", count=sum(person.packets.undecryptable.values())))
            continue
        lost = _lost(person.packets.lost, person.packets.received)
        unheard = sum(person.packets.undecryptable.values())
        lost += UNHEARD.format(count=unheard) if unheard else ""
        lines.append(f"▫️ <@{person.id}> {clock(person.speech_s)}{lost}")
        if person.fault is not None:
            lines.append(f"⚠️ {shown(person.fault, 300)}")
    if len(speakers) > SHOWN_PEOPLE:
        lines.append(f"and {len(speakers) - SHOWN_PEOPLE} more")
    suffered = [gap for gap in metadata.gaps if not gap.pause and gap.user_id is None]
    deafened_s = sum(gap.duration_s for gap in suffered if gap.reason == DEAFENED)
    away_s = sum(gap.duration_s for gap in suffered) - deafened_s
    if away_s >= 1:
        lines.append(f"The connection was away for {clock(away_s)}.")
    if deafened_s >= 1:
        lines.append(f"A moderator had deafened me for {clock(deafened_s)}: nobody is on it then.")
    if any(note.text == UNENCRYPTED for note in metadata.notes):
        lines.append("🔓 For a part of it the channel was not encrypted end to end; the metadata's notes say when.")
    if any(person.missing for person in metadata.people):
        lines.append("Some of it was damaged on disk; the metadata says where.")
    lines.append(f"-# id `{metadata.id}`")
    return "\n".join(lines)


def report_text(record: RecordingRecord, metadata: Metadata) -> str:
    """What is said when a recording is finished."""
    if not metadata.people and not metadata.notes:
        return NOBODY
    text = finished_text(metadata)
    if not metadata.interrupted:
        return text
    return f"{f'<@{record.started_by}> ' if record.started_by else ''}{INTERRUPTED}\n{text}"


def list_line(record: RecordingRecord) -> str:
    """One recording in a list."""
    length = f" · {clock(record.duration_s)}" if record.duration_s else ""
    return f"{MARKS[record.state]} <t:{int(record.started_at.timestamp())}:f> <#{record.channel_id}>{length} · `{record.id}`"


def choice(record: RecordingRecord) -> str:
    """One recording among the choices of a command, as plain text."""
    length = f", {clock(record.duration_s)}" if record.duration_s else ""
    return f"{record.started_at.astimezone():%Y-%m-%d %H:%M}, {plain(record.channel_name)}{length}"[:_CHOICE_LENGTH]


def _lost(lost: int, received: int) -> str:
    share = lost / max(1, lost + received)
    return f" ({share:.1%} lost on the way, concealed)" if share >= 0.005 else ""


def _count(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
