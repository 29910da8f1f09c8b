"""What the terminal shows of an image: facts, its family tree, and what came of making it again."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from rich.tree import Tree

from flows.cli.screen import err, fact, out, plain, wide
from flows.replaying import Replayed, Request
from flows.showing import Provenance
from tasks.measured import How
from tasks.models import ImageRecord
from tasks.near import FINGERPRINT_BITS
from tasks.said import Said
from tasks.shown import one_line

FACT_NAME_WIDTH = 22
DIGITS = 12
MAX_CAPTION = 100
_CHANGED: Mapping[How, str] = MappingProxyType({"copy": "", "crop": ", cropped", "mirror": ", mirrored"})


def show_image(provenance: Provenance, *, as_json: bool) -> None:
    """Shows everything that is known of an image."""
    _show_likenesses(provenance)
    if as_json:
        out.print_json(provenance.record.model_dump_json())
        return
    # No table: it would break digests at the width of the terminal, and they are there to be copied.
    for name, value in (("image", provenance.record.sha256), *_facts_of(provenance)):
        out.print(fact(name, value, FACT_NAME_WIDTH))


def show_tree(provenance: Provenance) -> None:
    """Draws what an image was made from, above it, and what was made from it, below."""
    _show_likenesses(provenance)
    line = (*provenance.ancestors, provenance.record)
    tree = Tree(_label(line[0], is_asked=len(line) == 1))
    branch = tree
    for number, record in enumerate(line[1:], 2):
        _add_references(branch, line[number - 2])
        branch = branch.add(_label(record, is_asked=number == len(line)))
    _add_references(branch, provenance.record)
    _grow(branch, provenance)
    (out if out.is_terminal else wide).print(tree)


def show_request(request: Request) -> None:
    """Prints the request as JSON, and says whether it is the one that was bought."""
    out.print_json(request.shot.request.model_dump_json(exclude_none=True))
    if request.is_exact:
        err.print(f"This is exactly what was asked for: its shot key is the record's, {request.shot.key}.")
    else:
        err.print(
            "[yellow]This is not exactly what was asked for.[/] Its shot key is "
            f"{request.shot.key}, and the record's is {plain(request.record.shot_key)}."
        )


def show_replayed(replayed: Replayed) -> None:
    """Shows what came of making an image again."""
    for each in replayed.images:
        out.print(f"{'again':<{FACT_NAME_WIDTH}} {each.record.sha256}")
        out.print(f"{'beside the image':<{FACT_NAME_WIDTH}} {each.said}")
    for failure in replayed.failures:
        out.print(f"[yellow]{plain(failure.kind)}:[/] {plain(failure.message)}")
    bought = "bought now" if replayed.bought else f"had before, in edition {replayed.edition}: another one buys again"
    out.print(f"{'cost':<{FACT_NAME_WIDTH}} {replayed.cost} ({plain(bought)})")


def _show_likenesses(provenance: Provenance) -> None:
    """Says plainly that an image was not found by its bytes, but by its looks."""
    for number, each in enumerate(provenance.likenesses):
        how = "the same pixels, in other bytes" if each.has_same_pixels else "looks like"
        bits = f"{each.distance_bits} of {FINGERPRINT_BITS} bits differ"
        err.print(f"{'The file' if number == 0 else 'and'}: {how} {each.sha256}{_CHANGED[each.how]} ({bits})")


def _facts_of(provenance: Provenance) -> Iterator[tuple[str, str]]:
    record, checks = provenance.record, provenance.record.checks
    yield "prompt", record.request.prompt
    yield from ((f"  {each.name}", each.value) for each in record.prompt.bindings)
    yield "seed", str(record.request.seed)
    yield "model", f"{record.request.model} ({record.provider}{', sandbox' if record.sandbox else ''})"
    yield "size", f"{checks.width_px} x {checks.height_px} px, {checks.media_type}, {checks.size_bytes} bytes"
    yield "made", f"{record.made_at:%Y-%m-%d %H:%M:%S} UTC, job {record.job_id}, output {record.output_index}"
    yield (
        "campaign",
        f"{record.campaign} · edition {record.edition} · {'edit ' if record.step else 'step '}{record.step}",
    )
    yield "cost", str(record.cost) if record.cost else "unknown"
    if checks.content_credentials == "present":
        yield "content credentials", f"{checks.credentials_state or 'present'}, {checks.credentials_issuer or 'unread'}"
    yield "parent", record.parent_sha256 or "none: generated from text"
    if record.drift is not None:
        yield "drift", record.drift.said
    yield from ((f"reference {each.role}", each.sha256) for each in record.references)
    yield from (("edited into", sha256) for sha256 in provenance.edits)
    yield from ((f"verdict in {each.campaign}", f"{each.kind}: {each.reason}") for each in provenance.verdicts)
    yield from (("decided", _said(each)) for each in provenance.decisions)
    yield "shot key", record.shot_key
    yield "file", provenance.file


def _said(decision: Said) -> str:
    stars = "" if decision.stars is None else f", {decision.stars} stars"
    note = f": {decision.note}" if decision.note else ""
    where = f"{decision.campaign} · edition {decision.edition}" if decision.campaign else "all campaigns"
    return f"{decision.decided_at:%Y-%m-%d %H:%M} UTC, {where}: {decision.what}{stars} (by {decision.by}){note}"


def _label(record: ImageRecord, *, is_asked: bool) -> str:
    caption = plain(one_line(record.request.prompt, MAX_CAPTION))
    step = f"edit {record.step}" if record.step else "made"
    name = f"[bold]{record.sha256[:DIGITS]}[/] ◀" if is_asked else record.sha256[:DIGITS]
    return f"{name} {step} · {caption} · seed {record.request.seed}"


def _add_references(branch: Tree, record: ImageRecord) -> None:
    for each in record.references:
        branch.add(f"@{plain(each.role)} {plain(each.sha256[:DIGITS])} (reference)")


def _grow(branch: Tree, provenance: Provenance) -> None:
    """Hangs each edit below its parent, which came before it."""
    edits: defaultdict[str | None, list[ImageRecord]] = defaultdict(list)
    for record in {each.sha256: each for each in provenance.descendants}.values():
        edits[record.parent_sha256].append(record)
    branches = [(branch, provenance.record.sha256)]
    while branches:
        above, sha256 = branches.pop()
        for record in edits.pop(sha256, []):
            below = above.add(_label(record, is_asked=False))
            _add_references(below, record)
            branches.append((below, record.sha256))
