"""How far from the truth the timeline puts talk-spurts: simulated hours of people on bad clocks over a bad network."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass

import numpy as np

from core.audio.frames import FRAME_S, FRAME_SAMPLES, OPUS_SILENCE, RATE_HZ, OpusFrame
from core.audio.packet_timeline import Timeline

P95_GOAL_MS, MAX_GOAL_MS, CREEP_GOAL_MS = 20.0, 60.0, 5.0
DELAY_S = 0.060  # of the network, on the average
DRAIN_S = 0.25
SETTLE_S = 1.0  # after a microphone stood still, until the place is asked for again


@dataclass(frozen=True, slots=True)
class Sender:
    """One simulated person."""

    name: str
    drift_ppm: float
    frozen: bool = False  # the RTP clock stands still through silence
    music: bool = False  # sends without a pause
    stalls: bool = False  # the network holds back everything for up to half a second, now and then
    freezes: bool = False  # the microphone stands still for 0.4 to 0.8 s in the middle, and the clock with it
    skewed: bool = False  # delay is one-sided, as queues make it, with the same deviation


SENDERS = (
    Sender("plain", 12),
    Sender("fast", 100),
    Sender("slow", -100),
    Sender("frozen", 60, frozen=True),
    Sender("music", 100, music=True),
    Sender("stalls", -40, stalls=True),
    Sender("skewed", 35, skewed=True),
    Sender("microphone", 25, freezes=True),
    Sender("quiet", -75),
)


def spurts(sender: Sender, duration_s: float, rng: np.random.Generator) -> list[tuple[float, int]]:
    """Beginning in true seconds and number of packets of every spurt."""
    if sender.music:
        return [(1.0, int((duration_s - 2) / FRAME_S))]
    found: list[tuple[float, int]] = []
    at = float(rng.uniform(0.5, 5))
    mean_pause = 60.0 if sender.name == "quiet" else 5.0
    while True:
        packets = 5 + max(3, int(rng.gamma(1.5, 90)))
        if at + packets * FRAME_S > duration_s - 1:
            return found
        found.append((at, packets))
        at += packets * FRAME_S + 0.15 + float(rng.exponential(mean_pause))


def simulate(
    sender: Sender, duration_s: float, jitter_s: float, loss: float, seed: int
) -> tuple[list[tuple[float, OpusFrame]], list[tuple[float, int, int]]]:
    """What arrives, in order of arrival, and the truth: time, first packet and packets of every spurt."""
    rng = np.random.default_rng(seed)
    plan = spurts(sender, duration_s, rng)
    rate = 1 / (1 + sender.drift_ppm * 1e-6)  # true seconds a second of the sender's clock
    sequence, clock = 65_000, 2**32 - 40 * RATE_HZ  # both wrap soon
    ssrc, number, stood = 1000, 0, 0.0
    sent: list[tuple[float, OpusFrame]] = []
    truth: list[tuple[float, int, int]] = []
    for index, (begin, packets) in enumerate(plan):
        if index and index % 400 == 0:  # a new connection: everything starts anew
            ssrc, sequence, clock = ssrc + 1, int(rng.integers(65536)), int(rng.integers(2**32))
        elif index and not sender.frozen:
            before, length = plan[index - 1]
            clock += round((begin - before - length * FRAME_S * rate - stood) / rate * RATE_HZ)
        times = begin + np.arange(packets) * FRAME_S * rate
        stood = 0.0
        if sender.freezes and packets > 150 and rng.random() < 0.5:
            at, stood = int(rng.integers(20, packets - 80)), float(rng.uniform(0.4, 0.8))
            stood = min(stood, (plan[index + 1][0] if index + 1 < len(plan) else duration_s) - times[-1] - 0.1)
            times[at:] += stood
            settled = at + round(SETTLE_S / FRAME_S)
            truth += [(begin, number, at), (float(times[settled]), number + settled, packets - settled)]
        else:
            truth.append((begin, number, packets))
        delays = network(sender, packets, jitter_s, rng)
        kept = rng.random(packets) >= loss
        for i in range(packets):
            if kept[i]:
                payload = OPUS_SILENCE if i >= packets - 5 else b"\xfc" + number.to_bytes(4, "big")
                arrival = float(times[i] + delays[i])
                sent.append((arrival, OpusFrame(1, ssrc, clock & 0xFFFFFFFF, sequence & 0xFFFF, arrival, payload)))
            sequence, clock, number = sequence + 1, clock + FRAME_SAMPLES, number + 1
    sent.sort(key=lambda item: item[0])
    return sent, truth


def network(sender: Sender, packets: int, jitter_s: float, rng: np.random.Generator) -> np.ndarray:
    """Delay of each packet of a spurt, in seconds."""
    if sender.skewed:
        delays = DELAY_S - jitter_s + rng.exponential(jitter_s, packets)
    else:
        delays = np.maximum(0.005, rng.normal(DELAY_S, jitter_s, packets))
    if sender.stalls and rng.random() < 0.2:
        at, length = int(rng.integers(packets)), int(rng.integers(5, 25))
        for i in range(at, min(at + length, packets)):
            delays[i] = max(delays[i], (at + length - i) * FRAME_S)
    return delays


def errors(
    sent: list[tuple[float, OpusFrame]], truth: list[tuple[float, int, int]]
) -> tuple[np.ndarray, np.ndarray, float, Timeline]:
    """Time and error in ms of each spurt's first packet, then of the first packet of every minute within a spurt; CPU us a packet."""
    timeline = Timeline(0.0)
    placed: dict[int, int] = {}
    spent = 0.0
    due = DRAIN_S
    for arrival, frame in sent:
        begin = time.perf_counter()
        timeline.push(frame)
        if arrival >= due:
            for each in timeline.drain(arrival):
                if each.payload != OPUS_SILENCE:
                    placed[int.from_bytes(each.payload[1:], "big")] = each.position
            due = arrival + DRAIN_S
        spent += time.perf_counter() - begin
    for each in timeline.drain(None):
        if each.payload != OPUS_SILENCE:
            placed[int.from_bytes(each.payload[1:], "big")] = each.position
    times: list[float] = []
    found: list[float] = []
    for begin, first, packets in truth:
        for start in range(first, first + packets, 3000):
            number = next((n for n in range(start, min(start + 3000, first + packets)) if n in placed), None)
            if number is not None:
                true_s = begin + (number - first) * FRAME_S + DELAY_S
                times.append(true_s)
                found.append((placed[number] / RATE_HZ - true_s) * 1000)
    return np.array(times), np.array(found), spent / len(sent) * 1e6, timeline


def creep(times: np.ndarray, found: np.ndarray) -> float:
    """By how many ms the places of the last third of the time differ from those of the first."""
    third = times.max() / 3
    return float(found[times > 2 * third].mean() - found[times < third].mean())


def main(argv: list[str]) -> int:
    """Run it and print JSON lines."""
    parser = argparse.ArgumentParser(prog="bench timeline", description=__doc__)
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--jitter-ms", type=float, default=15.0)
    parser.add_argument("--loss", type=float, default=0.02)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args(argv)
    every: list[np.ndarray] = []
    moved_ms = 0.0
    creeps: list[float] = []
    for index, sender in enumerate(SENDERS):
        sent, truth = simulate(sender, args.hours * 3600, args.jitter_ms / 1000, args.loss, args.seed * 100 + index)
        times, found, cpu_us, timeline = errors(sent, drifted(truth, sender))
        crept = creep(times, found)
        every.append(found)
        if sender.freezes:
            moved_ms = float(np.abs(found).max())
        creeps.append(abs(crept))
        counts = timeline.counts
        print(
            json.dumps(
                {
                    "bench": "timeline",
                    "what": sender.name,
                    "drift_ppm": sender.drift_ppm,
                    "spurts": len(truth),
                    "packets": len(sent),
                    "lost": counts.lost,
                    "late": counts.late,
                    "median_ms": round(float(np.median(found)), 2),
                    "p95_ms": round(float(np.percentile(np.abs(found), 95)), 2),
                    "max_ms": round(float(np.abs(found).max()), 2),
                    "creep_ms": round(crept, 2),
                    "cpu_us_a_packet": round(cpu_us, 2),
                }
            )
        )
    together = np.abs(np.concatenate(every))
    p95, worst, crept = float(np.percentile(together, 95)), float(together.max()), max(creeps)
    moved = moved_ms <= MAX_GOAL_MS
    print(
        json.dumps(
            {
                "bench": "timeline",
                "what": f"{SETTLE_S:g} s after a microphone stood still for 0.4 to 0.8 s",
                "max_ms": round(moved_ms, 2),
                "goal": f"max <= {MAX_GOAL_MS:g} ms",
                "met": moved,
            }
        )
    )
    met = moved and p95 <= P95_GOAL_MS and worst <= MAX_GOAL_MS and crept <= CREEP_GOAL_MS
    print(
        json.dumps(
            {
                "bench": "timeline",
                "what": f"{args.hours:g} h, {len(SENDERS)} people",
                "p95_ms": round(p95, 2),
                "max_ms": round(worst, 2),
                "creep_ms": round(crept, 2),
                "goal": f"p95 <= {P95_GOAL_MS:g} ms, max <= {MAX_GOAL_MS:g} ms, first to last third <= {CREEP_GOAL_MS:g} ms",
                "met": met,
            }
        )
    )
    return 0 if met else 1


def drifted(truth: list[tuple[float, int, int]], sender: Sender) -> list[tuple[float, int, int]]:
    """The truth cut into pieces so short that the sender's drift within a piece does not matter."""
    rate = 1 / (1 + sender.drift_ppm * 1e-6)
    return [
        (begin + start * FRAME_S * rate, first + start, min(500, packets - start))
        for begin, first, packets in truth
        for start in range(0, packets, 500)
    ]
