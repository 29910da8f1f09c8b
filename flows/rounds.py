"""Rounds of generation until there are as many distinct pictures as the brief wants, or it is time to stop."""

from collections import Counter
from collections.abc import Mapping, Sequence

from blocks.archive.ledger import ShotState
from flows.stages import judge_images, make_pictures
from tasks.brief import Brief
from tasks.models import Made, Production, Prompt, Round
from tasks.plan import plan_takes
from tasks.references import References
from tasks.rounds import Take, Terms, close_round, next_takes, rather_bought
from tasks.run_log import run_log
from tasks.studio import Studio


async def make_rounds(
    brief: Brief, target: int, prompts: Sequence[Prompt], references: References, studio: Studio
) -> Production:
    """Generates in rounds. A run that was stopped goes the same way again, up to where it has to buy.

    What people decided on the pictures does not count here: whether a picture is distinct is not a matter of taste,
    and a run that is taken up after its review must not buy others in the place of those that were rejected. Nor does
    what other campaigns have put into the archive since: it would make repeats of pictures that were distinct when they
    were bought, and the same brief would buy others in their place. The verdicts at the end take both into account.

    Args:
        brief: How pictures are generated, and what counts as a repeat.
        target: Distinct pictures that are wanted.
        prompts: All that the rounds may draw from, in this order.
        references: All references of the brief.
        studio: Everything that the run holds open.

    Returns:
        What all rounds have made; the last round says why none follows.
    """
    terms = Terms.of(brief, target, len(prompts))
    so_far = Production()
    planned: dict[Take, str] = {}
    tried: dict[Take, int] = {}
    while not (so_far.rounds and so_far.rounds[-1].ended_by):
        takes = next_takes(terms, so_far.rounds, tried)
        if takes and takes[0].number >= terms.seeds:
            takes = rather_bought(takes, await _bought_before(brief, tried, prompts, references, studio))
        _tell_begin(so_far.rounds, target, studio)
        shots = plan_takes(
            brief, [(prompts[take.prompt], take.number) for take in takes], references, studio, len(so_far.shots)
        )
        planned |= {take: shot.key for take, shot in zip(takes, shots, strict=True)}
        made = await make_pictures(shots, studio)
        so_far += Production(shots=shots, made=made)
        distinct = await _distinct_by_shot(brief, so_far.made, studio)
        tried = {take: distinct[key] for take, key in planned.items()}
        total = sum(distinct.values())
        done = close_round(terms, so_far.rounds, takes, paid=len(made.images), distinct=total, halt=studio.halted_by)
        so_far += Production(rounds=(done,))
        _tell_end(so_far.rounds)
    return so_far + await _paid_besides(brief, tried, prompts, references, studio, len(so_far.shots))


async def _paid_besides(
    brief: Brief,
    tried: Mapping[Take, int],
    prompts: Sequence[Prompt],
    references: References,
    studio: Studio,
    position: int,
) -> Production:
    """Adds what earlier runs of this edition bought, and the rounds of this one did not need: it was paid for."""
    bought = sorted(await _bought_before(brief, tried, prompts, references, studio))
    takes = [(prompts[take.prompt], take.number) for take in bought]
    shots = plan_takes(brief, takes, references, studio, position)
    return Production(shots=shots, made=await make_pictures(shots, studio))


async def _bought_before(
    brief: Brief, tried: Mapping[Take, int], prompts: Sequence[Prompt], references: References, studio: Studio
) -> frozenset[Take]:
    """Finds the takes beside these that earlier runs of this edition bought: in each prompt one follows another."""
    number = Counter(take.prompt for take in tried)
    asked = [Take(prompt, number[prompt]) for prompt in range(len(prompts))]
    bought: set[Take] = set()
    while asked:
        shots = plan_takes(brief, [(prompts[take.prompt], take.number) for take in asked], references, studio)
        entries = await studio.archive.ledger.find(shot.key for shot in shots)
        known = [(take, entries[shot.key]) for take, shot in zip(asked, shots, strict=True) if shot.key in entries]
        bought |= {take for take, entry in known if entry.state is ShotState.DONE}
        asked = [Take(take.prompt, take.number + 1) for take, _ in known]
    return frozenset(bought)


async def _distinct_by_shot(brief: Brief, made: Made, studio: Studio) -> Mapping[str, int]:
    """Counts the distinct pictures that came of each shot."""
    began_at = min((image.made_at for image in made.images), default=None)
    verdicts = await judge_images(brief, made, studio, heeds_people=False, made_before=began_at)
    distinct = {verdict.sha256 for verdict in verdicts if verdict.kind == "keeper"}
    shot_of = {image.sha256: image.shot_key for image in reversed(made.images)}  # of equal bytes, the first one's
    return Counter(shot_of[sha256] for sha256 in distinct)


def _tell_begin(rounds: Sequence[Round], target: int, studio: Studio) -> None:
    distinct = rounds[-1].distinct if rounds else 0
    studio.tally.change(stage=f"round {len(rounds) + 1}, {distinct} of {target} distinct")


def _tell_end(rounds: Sequence[Round]) -> None:
    done = rounds[-1]
    run_log().info(
        "Round %d, with new %s: %d of %d pictures are distinct%s",
        len(rounds),
        done.change,
        done.gained,
        done.paid,
        f"; {done.message}" if done.message else f", {done.distinct} of {done.target} so far",
    )
