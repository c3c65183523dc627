/** The blending in search.py: weights chosen greedily on samples of the rows, for as long as there is time. */

export const BLENDING = `MOST_ROWS = 5000  # of one sample, on which the blend is chosen
BAGS = 12
ROUNDS = 12
MOST_MEMBERS = 6


def greedy(
    outputs: dict[int, np.ndarray], target: np.ndarray, costs: dict[int, float], most: float, deadline: float
) -> dict[int, float]:
    """Weights by trial: again and again the one is added that helps most; the best state on the way is kept.

    costs and most: seconds that a fit of each takes, and that all together may take.
    """
    counts: dict[int, int] = {}
    best: tuple[float, dict[int, int]] = (-np.inf, {})
    total = np.zeros_like(next(iter(outputs.values())))
    for size in range(1, ROUNDS + 1):
        left = most - sum(costs[number] for number in counts)
        gains: dict[int, float] = {}
        for number, output in outputs.items():
            if gains and time.monotonic() > deadline:
                break
            if not counts or number in counts or costs[number] <= left:
                gains[number] = guide(target, (total + output) / size)
        chosen = max(gains, key=gains.get)
        counts = counts | {chosen: counts.get(chosen, 0) + 1}
        total = total + outputs[chosen]
        if gains[chosen] > best[0]:
            best = (gains[chosen], counts)
        if time.monotonic() > deadline:
            break
    return {number: count / sum(best[1].values()) for number, count in best[1].items()}


def blends(
    outputs: dict[int, np.ndarray],
    target: np.ndarray,
    scores: dict[int, float],
    costs: dict[int, float],
    most: float,
    deadline: float,
) -> Iterator[dict[int, float]]:
    """Weights by trial, better ones after better ones until the time is over: each is the mean of greedy weights on
    more samples of the rows, so that no few rows decide. Small weights are dropped.

    The fewer the rows, the less their scores are believed, and the nearer the weights are to equal ones for the best
    model of each kind. Where time is short, samples are smaller and only the best trials are looked at.
    """
    generator = np.random.default_rng(SEED)
    ranking = sorted(outputs, key=scores.get, reverse=True)
    size = min(len(target), MOST_ROWS)
    first, started = outputs[ranking[0]][:size], time.monotonic()
    guide(target[:size], first)
    pace = time.monotonic() - started
    share = (deadline - started) / max(1e-9, BAGS * ROUNDS * len(outputs) * pace)
    if share < 1:
        size = min(size, max(1000, round(share * size)))
    if share < 0.2:
        ranking = ranking[:4]
    champions = set({TRIALS[number]["model"]: number for number in reversed(ranking)}.values())
    belief = len(target) / (len(target) + 200)
    total = dict.fromkeys(ranking, 0.0)
    for bag in range(1, BAGS + 1):
        rows = generator.integers(0, len(target), size)
        if TARGET_TYPE != "continuous" and len(np.unique(target[rows])) < len(np.unique(target)):
            rows = np.arange(len(target))
        sample = {number: outputs[number][rows] for number in ranking}
        for number, weight in greedy(sample, target[rows], costs, most, deadline).items():
            total[number] += weight
        mean = {
            number: belief * weight / bag + (1 - belief) * (number in champions) / len(champions)
            for number, weight in total.items()
        }
        over = time.monotonic() > deadline
        if over or bag in (1, 4, BAGS):
            yield kept(mean, costs, most)
        if over:
            return


def kept(mean: dict[int, float], costs: dict[int, float], most: float) -> dict[int, float]:
    """The largest weights whose fits together do not take too long, so scaled that they sum to one."""
    largest: dict[int, float] = {}
    for number in sorted(mean, key=mean.get, reverse=True):
        spent = sum(costs[other] for other in largest)
        if not largest or (mean[number] >= 0.04 and spent + costs[number] <= most and len(largest) < MOST_MEMBERS):
            largest[number] = mean[number]
    return {number: weight / sum(largest.values()) for number, weight in largest.items()}


def candidates(scores: dict[int, float], costs: dict[int, float], most: float) -> list[int]:
    """The best few of each kind of model, and the plain one; none that alone would take too long."""
    affordable = {number: score for number, score in scores.items() if costs[number] <= most}
    if not affordable:
        return [min(costs, key=costs.get)]
    ranking = sorted(affordable, key=scores.get, reverse=True)
    chosen: list[int] = []
    for kind in {trial["model"] for trial in TRIALS}:
        chosen += [number for number in ranking if TRIALS[number]["model"] == kind][:3]
    best = sorted(set(chosen), key=scores.get, reverse=True)[:9]
    return sorted({*best, 0} & set(affordable))`;
