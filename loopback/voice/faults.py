"""What can be made to go wrong between the voice server and its clients: mutable knobs, read live."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Network:
    """How datagrams to a receiver suffer. Probabilities are 0 to 1; all zero means untouched.

    `only_from` limits the damage to packets of those user ids.
    """

    loss: float = 0.0
    delay_s: float = 0.0
    jitter_s: float = 0.0
    """Standard deviation of a normal delay added to `delay_s` (never below zero in sum)."""
    reorder: float = 0.0
    """Share of packets held back by `reorder_s`, so that their successors overtake them."""
    reorder_s: float = 0.05
    duplicate: float = 0.0
    only_from: set[int] | None = None

    @property
    def clean(self) -> bool:
        """Whether packets pass untouched."""
        return not (self.loss or self.delay_s or self.jitter_s or self.reorder or self.duplicate)


@dataclass(slots=True)
class VoiceFaults:
    """Every knob of the voice plane. Change an attribute at any time; the next packet or message obeys."""

    network: Network = field(default_factory=Network)
    """For every receiver without an entry of its own."""
    network_for: dict[int, Network] = field(default_factory=dict)
    """By receiving user id; replaces `network` for that user."""
    seed: int = 1
    """Seeds the simulated network: same packets, same fate."""

    header_extension: bool = True
    """Relayed audio carries a one-byte-header RTP extension (0xBEDE), as Discord's does."""
    padding_rate: float = 0.05
    """Share of relayed audio packets that carry RTP padding."""

    rtcp_interval_s: float = 1.0
    """Every client gets an RTCP receiver report on the voice port this often, and goodbyes when it left; 0: never."""

    dave: bool = True
    """False: rooms opened from now on use protocol version 0. Running rooms: `Room.set_protocol_version`."""
    dave_required: bool = True
    """Clients without DAVE are refused with 4017; False: they downgrade the room instead."""
    proposal_delay_s: float = 0.0
    """Joins and leaves are proposed this much later, as when a killed client's ghost holds the group up."""
    corrupt_welcomes: int = 0
    """The next n Welcome messages (op 30) are damaged."""
    corrupt_commits: int = 0
    """The next n announced commits (op 29) are damaged, each for one receiver."""
    transition_delay_s: float = 0.0
    """Extra time before op 22."""
    missing_transitions: int = 0
    """The next n transitions never get their op 22."""

    speaking_delay_s: float = 0.0
    """Op 5 reaches the others this much later than it could: audio comes before its SSRC is known."""
    allow_resume: bool = True
    """False: op 7 is answered with close code 4006."""
    resume_window_s: float = 30.0
    """How long a member whose websocket vanished stays in the room."""
    session_description_after_resume: bool = False
    """Op 9 is followed by a fresh op 4 with the same key."""
    heartbeat_interval_s: float = 13.75
    heartbeat_answer_s: float = 0.05
    """How long the answer to a heartbeat is under way; at once, discord.py takes it for the answer to the one before."""
    modes: tuple[str, ...] = ("aead_aes256_gcm_rtpsize", "aead_xchacha20_poly1305_rtpsize")
    """Transport modes offered in op 2, best first."""

    def network_to(self, user_id: int) -> Network:
        """The conditions on the way to one receiver."""
        return self.network_for.get(user_id, self.network)
