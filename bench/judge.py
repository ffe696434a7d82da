"""Owns the judgement: which figure of each part is held against which target."""

import statistics
from dataclasses import dataclass

PEERS_LEAST = 0.5  # of FreeRADIUS's rate
CPU_MOST = 400  # microseconds
FAR_LEAST = 200  # logins a second, with a directory 50 ms away
BACK_WITHIN = 2  # seconds
JUDGED = "libldap"  # the driver that the targets of the rate are set for; the other is reported
P99_BELOW = 20  # milliseconds
PAGE_BELOW = 50  # milliseconds, at 50 pages a second
RECORDED_LEAST = 0.9  # of the rate without the chains and the figures
VERIFIED_WITHIN = 60  # seconds


@dataclass(frozen=True, slots=True)
class Line:
    """One figure with its target; `met` is None for a figure that is only reported."""

    name: str
    figure: str
    target: str
    met: bool | None


def below(name: str, figure: float, limit: float, unit: str) -> Line:
    """Return the line of a figure that may not be above its target."""
    return Line(name, f"{figure:g}{unit}", f"<= {limit:g}{unit}", figure <= limit)


def judge_ready(found: dict) -> list[Line]:
    """Return the lines of the start."""
    return [below("ready after", found["seconds"], 1.5, " s")]


def judge_rate(found: dict) -> list[Line]:
    """Return the lines of the rate and of the comparison."""
    ours = found["drivers"].values()
    all_passes = [*found["peer"], *(one for each in ours for one in (each["cold"], *each["warm"]))]
    sent, let_in = (sum(one[name] for one in all_passes) for name in ("sent", "accept"))
    lines = [Line("logins accepted, with the peer's", f"{let_in}/{sent}", "all", let_in == sent)]
    for driver, each in found["drivers"].items():
        cpu = median(each["warm"], "cpu_us")
        lines.append(
            target(driver, "CPU of the server, a warm login", f"{cpu:g} us", f"<= {CPU_MOST} us", cpu <= CPU_MOST)
        )
        if each["ratios"]:
            ratio = statistics.median(each["ratios"])
            figure = f"{ratio:.2f} (median of {' '.join(f'{value:.2f}' for value in each['ratios'])})"
            lines.append(target(driver, "rate against FreeRADIUS", figure, f">= {PEERS_LEAST:g}", ratio >= PEERS_LEAST))
    return lines


def target(driver: str, name: str, figure: str, aim: str, met: bool) -> Line:  # noqa: FBT001 - the judgement
    """Return the line of a driver's figure, which has a target for one of them only."""
    return Line(f"{name} ({driver})", figure, *((aim, met) if driver == JUDGED else ("-", None)))


def judge_latency(found: dict) -> list[Line]:
    """Return the line of the directory that is far away."""
    met = found["per_second"] >= FAR_LEAST and found["accept"] == found["sent"]
    figure = f"{found['per_second']:.0f} logins/s, {accepted(found)} accepted"
    return [Line("with a directory 50 ms away", figure, f">= {FAR_LEAST}", met)]


def judge_outage(found: dict) -> list[Line]:
    """Return the line of the directory that was away."""
    name = f"first login after the directory was stopped for {found['stopped']:g} s"
    return [below(name, found["seconds"], BACK_WITHIN, " s")]


def median(of: list[dict], name: str) -> float:
    """Return the median of one figure over several passes."""
    return statistics.median(one[name] for one in of)


def judge_steady(found: dict) -> list[Line]:
    """Return the lines of the steady rate."""
    figure = f"p99 {found['p99_ms']} ms, p50 {found['p50_ms']} ms; {accepted(found)} accepted"
    met = found["accept"] == found["sent"] and found["p99_ms"] < P99_BELOW
    return [Line(f"at {found['per_second']:.0f} logins/s", figure, f"p99 < {P99_BELOW} ms", met)]


def accepted(found: dict) -> str:
    """Return how many of how many were let in."""
    return f"{found['accept']}/{found['sent']}"


def judge_growth(found: dict) -> list[Line]:
    """Return the lines of the growth."""
    return [
        against("CPU of a login, many tokens against few", found, 1.1),
        below("resident memory, many tokens", found["resident_many_mb"], 120, " MB"),
    ]


def against(name: str, found: dict, limit: float) -> Line:
    """Return the line of a comparison of two servers."""
    ratio = statistics.median(found["ratios"])
    figure = f"{ratio:.2f} (median of {len(found['ratios'])}; {found['other_us']} us against {found['one_us']} us)"
    return Line(name, figure, f"<= {limit:g}", ratio <= limit and not found["refused"])


def judge_tokens(found: dict) -> list[Line]:
    """Return the line of somebody's several tokens."""
    return [against("CPU of a login, eight tokens against one", found, 1.3)]


def judge_policy(found: dict) -> list[Line]:
    """Return the line of the choice among many rules."""
    name = max(found, key=lambda each: found[each])
    return [below(f"choosing among 200 rules, slowest ({name})", found[name], 50, " us")]


def judge_import(found: dict) -> list[Line]:
    """Return the lines of the import."""
    return [
        line
        for name, one in found.items()
        for line in (
            below(f"import of {one['tokens']:,} tokens ({name})", one["seconds"], 60, " s"),
            below("memory of it", one["resident_mb"], 200, " MB"),
        )
    ]


def judge_flood(found: dict) -> list[Line]:
    """Return the lines of the flood."""
    honest, poured = found["honest"], found["flood"]
    figure = (
        f"{accepted(honest)} accepted, {honest['answered at once']} at the first sending; p99 {honest['p99_ms']} ms"
    )
    met = honest["accept"] == honest["sent"] == honest["answered at once"]
    return [
        Line(f"honest logins beside {poured['per_second']:,} datagrams/s", figure, "all", met),
        Line("datagrams that the kernel threw away then", f"{found['overrun']:,}", "0", found["overrun"] == 0),
    ]


def judge_portal(found: dict) -> list[Line]:
    """Return the lines of the portal, and of the logins beside it."""
    web, both, alone = found["portal"], found["beside"], found["alone"]
    good = web["statuses"] == {"200": web["pages"]}
    first = f"p95 {web['p95_ms']} ms, p50 {web['p50_ms']} ms; {web['pages']} pages, by status {web['statuses']}"
    logins = f"p99 {both['p99_ms']} ms, {alone['p99_ms']} ms without; {accepted(both)} accepted"
    met = both["accept"] == both["sent"] and both["p99_ms"] < P99_BELOW
    return [
        Line(
            "first octet of a page of the portal", first, f"p95 < {PAGE_BELOW} ms", good and web["p95_ms"] < PAGE_BELOW
        ),
        Line(f"at {both['per_second']:.0f} logins/s beside it", logins, f"p99 < {P99_BELOW} ms", met),
        Line("resident memory of the portal", f"{found['resident_mb']:.0f} MB", "-", None),
    ]


def judge_record(found: dict) -> list[Line]:
    """Return the lines of what the audit record and the figures cost."""
    words = {"chain": "the same row in no chain, and no figures", "record": "no row of a login at all, nor figures"}
    return [
        recorded(f"rate against {words[part]}", found[part], judged=part == "chain", refused=found["refused"])
        for part in words
    ]


def recorded(name: str, found: dict, *, judged: bool, refused: int) -> Line:
    """Return the line of one comparison."""
    rate, cpu = (statistics.median(found[each]) for each in ("rates", "cpus"))
    spread = f"{min(found['rates']):.2f} to {max(found['rates']):.2f}"
    figure = f"{rate:.2f} (median of {len(found['rates'])}, {spread}); {cpu:.2f} of the CPU"
    if not judged:
        return Line(name, figure, "-", None)
    return Line(name, figure, f">= {RECORDED_LEAST:g}", rate >= RECORDED_LEAST and not refused)


def judge_archive(found: dict) -> list[Line]:
    """Return the lines of a long record."""
    proof, backup, both, rows = found["verify"], found["backup"], found["beside"], found["rows"]
    of = f"{backup['seconds']:g} s, {found['octets'] / 1e6:.0f} MB, {backup['resident_mb']:.0f} MB of memory"
    logins = f"p99 {both['p99_ms']} ms, {found['alone']['p99_ms']} ms without; {accepted(both)} accepted"
    return [
        below(f"proof of {rows:,} rows", proof["seconds"], VERIFIED_WITHIN, " s"),
        Line(f"backup of {rows:,} rows", of, "-", None),
        Line(f"at {both['per_second']:.0f} logins/s beside it", logins, "all", both["accept"] == both["sent"]),
    ]


JUDGES = {
    "ready": judge_ready,
    "rate": judge_rate,
    "steady": judge_steady,
    "growth": judge_growth,
    "tokens": judge_tokens,
    "policy": judge_policy,
    "import": judge_import,
    "flood": judge_flood,
    "latency": judge_latency,
    "outage": judge_outage,
    "portal": judge_portal,
    "record": judge_record,
    "archive": judge_archive,
}
