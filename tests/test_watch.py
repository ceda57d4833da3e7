"""The over-optimisation watch: what it measures, when it speaks, what it refuses. Made-up answers, by hand."""

import json
import math
from itertools import combinations

import pytest
from trl import GRPOConfig

from hfllm import watch
from hfllm.errors import UserMistake
from hfllm.reward_model import RewardModel
from hfllm.watch import WatchConfig
from hfllm.watching import adversarial, answers, best_of_n, independence, measures, picture, rules
from hfllm.watching.answers import Answer, proxy
from hfllm.watching.measures import Measurement, Score

WEIGHTS = {"liked": 1.0, "careful": 0.0}


def answer(prompt="a?", liked=0.0, careful=0.0, tokens=(1, 2, 3), **values):
    given = {"truncated": False, "logp": -1.0, "initial_logp": -1.0, "entropy": 1.0, "completion": "A.", **values}
    return Answer(prompt=prompt, rewards={"liked": liked, "careful": careful}, tokens=list(tokens), **given)


def measurement(step, proxy=0.0, audit=0.0, error=0.0, **values):
    given = {
        "rank_correlation": {},
        "agreement": {"careful": 0.5},
        "proxy_length_correlation": None,
        "kl": float(step),
        "length": 10.0,
    } | values
    same = ("length_ratio", "distinct_2", "distinct_2_ratio", "entropy", "entropy_ratio")
    given = dict.fromkeys(same, 1.0) | {"truncated": 0.0, "similarity": 0.1} | given
    scores = {"proxy": Score(proxy, 1.0, proxy, error), "rewards": {"careful": Score(audit, 1.0, audit, error)}}
    return Measurement(step=step, **scores, **given)


def run(proxies, audits, **config):
    """The verdict after each evaluation of a run with these z-scores."""
    config = WatchConfig(**({"smoothing": 1.0} | config))
    history = [measurement(step, *both) for step, both in enumerate(zip(proxies, audits, strict=True))]
    return [rules.judge(history[: end + 1], ["careful"], config) for end in range(len(history))]


# ---- what is measured ----


def test_scores_are_in_spreads_of_step_0():
    start = measures.measure(0, [answer("a?", 1), answer("b?", 3)], WEIGHTS)
    assert (start.proxy.mean, start.proxy.spread, start.proxy.z) == (2, 1, 0)
    now = measures.measure(5, [answer("a?", 4), answer("a?", 6), answer("b?", 9), answer("b?", 9)], WEIGHTS, start)
    assert now.proxy.z == (7 - 2) / 1
    # means of the prompts 5 and 9: standard deviation sqrt(8), of the mean of two sqrt(8 / 2) = 2
    assert now.proxy.standard_error == pytest.approx(2)
    assert now.rewards["careful"].z == 0


def test_a_reward_that_never_differed_is_measured_in_plain_units():
    start = measures.measure(0, [answer(careful=-0.5)] * 2, WEIGHTS)
    now = measures.measure(1, [answer(careful=-0.75)] * 2, WEIGHTS, start)
    assert now.rewards["careful"].z == -0.25


def test_what_nobody_could_judge_does_not_count():
    answers = [answer(liked=None, careful=1), answer(liked=2, careful=None)]
    now = measures.measure(0, answers, WEIGHTS)
    assert (now.proxy.mean, now.rewards["careful"].mean) == (2, 1)
    assert now.rank_correlation == {"careful": None}
    nobody = measures.measure(0, [answer(liked=None, careful=None)], WEIGHTS)
    assert nobody.proxy == Score(None, None, None, None)


def test_the_proxy_is_the_weighted_sum():
    assert proxy({"a": 1.0, "b": 2.0, "c": 9.0}, {"a": 0.5, "b": 2.0, "c": 0.0}) == 4.5
    assert proxy({"a": None, "b": 2.0}, {"a": 0.5, "b": 2.0}) == 4
    assert proxy({"a": None, "b": 2.0}, {"a": 0.5, "b": 0.0}) is None


def test_distance_length_and_text():
    start = measures.measure(0, [answer(tokens=(1, 2, 3), entropy=2.0)], WEIGHTS)
    now = measures.measure(
        1,
        [
            answer("a?", tokens=(1, 2, 1, 2), logp=-2.0, initial_logp=-5.0, entropy=0.5, truncated=True),
            answer("b?", tokens=(1, 2), logp=-2.0, initial_logp=-3.0, entropy=0.5),
        ],
        WEIGHTS,
        start,
    )
    assert now.kl == 2  # (3 + 1) / 2
    assert now.sqrt_kl == pytest.approx(math.sqrt(2))
    assert (now.length, now.length_ratio, now.truncated) == (3, 1, 0.5)
    assert now.distinct_2 == 2 / 4  # (1, 2) three times, (2, 1) once
    assert now.distinct_2_ratio == 0.5
    assert now.entropy_ratio == 0.25
    # {(1, 2), (2, 1)} and {(1, 2)}: cosine 1 / sqrt(2)
    assert now.similarity == pytest.approx(1 / math.sqrt(2))


def test_similarity_looks_at_different_prompts_only():
    same, other = frozenset([1, 2]), frozenset([3])
    assert measures.similarity([same, same], ["a", "a"]) == 0
    assert measures.similarity([same, same, other, other], ["a", "a", "b", "b"]) == pytest.approx(0)
    assert measures.similarity([same, same, same], ["a", "a", "b"]) == pytest.approx(1)


def test_agreement_is_about_answers_to_the_same_prompt():
    # a: 1 < 2 and 3 < 4, the same order; b: 9 > 7, but 1 < 5
    assert measures.agreement([1, 2, 9, 7], [3, 4, 1, 5], ["a", "a", "b", "b"]) == 0
    assert measures.agreement([1, 2, 9, 7], [3, 4, 1, 5], ["a", "a", "a", "b"]) == pytest.approx((1 - 2) / 3)
    # a tie of either orders nothing
    assert measures.agreement([1, 1, 2], [5, 6, 7], ["a"] * 3) == 1
    assert measures.agreement([1, 1], [5, 6], ["a"] * 2) is None
    assert measures.agreement([1, None, 2], [5, 6, None], ["a"] * 3) is None


def test_agreement_over_all_answers_where_most_prompts_have_one():
    assert measures.agreement([1, 2, 3], [3, 2, 1], ["a", "b", "c"]) == -1
    assert measures.agreement([1, 2, 3], [1, 3, 2], ["a", "b", "b"]) == pytest.approx((2 - 1) / 3)  # not b's pair alone


def test_rank_correlation():
    assert measures.rank_correlation([1, 2, 9], [3, 4, 5]) == pytest.approx(1)
    assert measures.rank_correlation([1, 2, 9], [5, 4, 3]) == pytest.approx(-1)
    # ranks 0 1.5 1.5 3 and 0 1 2 3 less 1.5: 4.5 / sqrt(4.5 * 5)
    assert measures.rank_correlation([1, 2, 2, 3], [1, 2, 3, 4]) == pytest.approx(4.5 / math.sqrt(22.5))
    assert measures.rank_correlation([1, 1, 1], [1, 2, 3]) is None


def test_a_measurement_comes_back_from_the_log():
    one = measures.measure(3, [answer(liked=1, careful=None), answer("b?", 2, 1.5)], WEIGHTS)
    assert measures.from_json(json.loads(json.dumps(measures.to_json(one)))) == one


def test_answers_come_back_whatever_they_hold(tmp_path):
    answers.write(tmp_path / "a" / "b.jsonl", [answer(completion="one\u2028two\x85three\nfour")] * 2)
    assert [row["completion"] for row in answers.read(tmp_path / "a" / "b.jsonl")] == [
        "one\u2028two\x85three\nfour"
    ] * 2


# ---- best of n ----


def test_the_best_of_n_is_the_mean_over_all_choices():
    judged = [(0.3, 1.0), (0.1, 5.0), (0.9, 2.0), (0.9, 4.0), (0.2, 0.0)]
    for n in range(1, 6):
        bests = []
        for chosen in combinations(judged, n):
            top = max(value for value, _ in chosen)
            audits = [audit for value, audit in chosen if value == top]
            bests.append(sum(audits) / len(audits))
        assert best_of_n.expected(judged, n) == pytest.approx(sum(bests) / len(bests)), n
    with pytest.raises(ValueError, match="best of 6 of 5"):
        best_of_n.expected(judged, 6)


def test_the_distance_of_the_best_of_n():
    assert best_of_n.kl(1) == 0
    assert best_of_n.kl(16) == pytest.approx(math.log(16) - 15 / 16)


def test_an_audit_that_falls_from_n_4_to_n_16_is_told():
    # the proxy likes the last answers best; the audit says that the very last is bad
    answers = [answer(f"{p}?", liked=n, careful=-n if n > 12 else n) for p in range(8) for n in range(16)]
    curve = best_of_n.curve(answers, WEIGHTS, 16)
    assert [point["proxy"] for point in curve] == sorted(point["proxy"] for point in curve)
    assert curve[0]["proxy"] == pytest.approx(7.5)
    assert curve[-1]["rewards"]["careful"] == -15
    low, high = best_of_n.falls(answers, WEIGHTS, "careful", 16)
    assert (low, high) == pytest.approx((curve[3]["rewards"]["careful"], -15))
    honest = [answer(f"{p}?", liked=n, careful=n) for p in range(8) for n in range(16)]
    assert best_of_n.falls(honest, WEIGHTS, "careful", 16) is None


# ---- the stop rules ----


def test_a_proxy_that_rises_with_its_audit_is_left_alone():
    assert all(verdict.reason is None for verdict in run([0, 1, 2, 3], [0, 1, 2, 3]))


def test_an_audit_that_falls_twice_while_the_proxy_holds_ends_the_run():
    verdicts = run([0, 1, 2, 3, 4], [0, 1, 1.1, 0.8, 0.7])
    assert [verdict.reason is None for verdict in verdicts] == [True, True, True, True, False]
    assert verdicts[3].fallen == {"careful": pytest.approx(0.3)}
    assert verdicts[4].best_step == 2
    assert "careful lies 0.40 spreads below its best (step 2)" in verdicts[4].reason
    assert "from +2.00 to +4.00" in verdicts[4].reason


def test_one_bad_evaluation_is_no_fall():
    assert all(verdict.reason is None for verdict in run([0, 1, 2, 3, 4], [0, 1, 0, 1, 0.1]))
    assert run([0, 1, 2], [0, 1, 0], patience=1)[-1].reason is not None


def test_a_proxy_that_falls_too_is_another_trouble():
    assert all(verdict.reason is None for verdict in run([0, 2, 1, 1], [0, 2, 1, 1]))


def test_a_fall_within_the_noise_is_no_fall():
    history = [measurement(step, step, audit, error=0.5) for step, audit in enumerate([0, 1, 0.1, 0.1])]
    config = WatchConfig(smoothing=1.0)
    assert rules.judge(history, ["careful"], config).reason is None  # 2 standard errors are 1.0
    assert rules.judge(history, ["careful"], WatchConfig(smoothing=1.0, standard_errors=1.0)).reason is not None


def agreeing(values, **config):
    """The verdict after each evaluation of a run in which proxy and audit agree so much."""
    config = WatchConfig(**({"smoothing": 1.0, "agreement": 0.0} | config))
    history = [measurement(step, step, step, agreement={"careful": value}) for step, value in enumerate(values)]
    return [rules.judge(history[: end + 1], ["careful"], config) for end in range(len(history))]


def test_an_audit_that_no_longer_prefers_what_the_proxy_prefers_ends_the_run():
    verdicts = agreeing([0.5, 0.2, -0.1, -0.2])  # though it still rises
    assert [verdict.reason is None for verdict in verdicts] == [True, True, True, False]
    assert verdicts[2].turned == {"careful": pytest.approx(-0.1)}
    assert "chose the same one in 75% at first, in 40% now" in verdicts[3].reason
    assert agreeing([0.5, 0.4, -0.1], patience=1)[-1].reason is not None
    assert agreeing([0.5, 0.2, 0.2], agreement=0.4)[-1].reason is not None  # 0.4 of 0.5
    assert agreeing([0.5, 0.21, 0.21], agreement=0.4)[-1].reason is None


def test_one_evaluation_of_disagreement_is_none():
    assert all(verdict.reason is None for verdict in agreeing([0.5, -0.1, 0.1, -0.1, 0.1]))
    assert agreeing([0.5, 0.4, -0.3, 0.1], smoothing=0.5)[-1].turned == {}  # smoothed: 0.5, 0.45, 0.075, 0.0875


def test_an_audit_that_never_agreed_looks_at_other_things():
    for values in ([0.1, -0.5, -0.5], [None, -0.5, -0.5], [-0.3, -0.5, -0.5]):
        assert all(verdict.reason is None for verdict in agreeing(values))
    assert all(verdict.reason is None for verdict in agreeing([0.5, -0.5, -0.5], agreement=None))
    assert all(verdict.turned == {} for verdict in agreeing([0.5, None, None]))


def test_smoothing_is_a_moving_mean():
    assert rules.smoothed([0, 1, 1], 0.5) == [0, 0.5, 0.75]
    assert rules.smoothed([None, 1, None], 0.5) == [0.0, 0.5, 0.5]


def test_after_the_kl_was_raised_old_falls_are_settled():
    history = [measurement(step, step, audit) for step, audit in enumerate([0, 1, 0.5, 0.5, 0.5])]
    config = WatchConfig(smoothing=1.0)
    assert rules.judge(history, ["careful"], config, since=3).reason is None
    assert rules.judge(history, ["careful"], config, since=2).reason is not None


def test_the_kept_weights_are_best_by_the_mean_audit_while_no_audit_had_fallen():
    def two(step, first, second):
        one = measurement(step, proxy=step, audit=first)
        both = {**one.rewards, "rule": Score(second, 1.0, second, 0.0)}
        return Measurement(**{**vars(one), "rewards": both, "agreement": dict.fromkeys(both)})

    history = [two(0, 0, 0), two(1, 1, 0), two(2, 4, -1), two(3, 5, -1)]  # the rule falls while the other rises
    verdict = rules.judge(history, ["careful", "rule"], WatchConfig(smoothing=1.0))
    assert verdict.best_step == 1
    assert "the audit rule" in verdict.reason


COLLAPSED = {
    "entropy_ratio": 0.39,
    "distinct_2_ratio": 0.49,
    "length_ratio": 2.1,
    "similarity": 0.91,
    "truncated": 0.51,
}


@pytest.mark.parametrize("pair", combinations(COLLAPSED, 2), ids=str)
def test_two_signs_of_collapse_end_the_run_and_one_does_not(pair):
    start, config = measurement(0), WatchConfig()
    for names, ends in ((pair, True), (pair[:1], False), (pair[1:], False)):
        history = [start, measurement(1, **{name: COLLAPSED[name] for name in names})]
        verdict = rules.judge(history, ["careful"], config)
        assert len(verdict.signs) == len(names)
        assert (verdict.reason is not None) == ends


def test_answers_that_shrink_are_a_sign_and_what_was_so_before_is_none():
    start = measurement(0, truncated=0.8, similarity=0.95)
    history = [start, measurement(1, truncated=0.9, similarity=0.96, length_ratio=0.4)]
    assert rules.judge(history, ["careful"], WatchConfig()).signs == ["answers are 0.40 times as long"]


# ---- what is left for the next reward model ----


def test_adversarial_pairs_are_a_better_answer_and_the_one_that_gamed():
    start = measurement(0)
    rows = [
        {"prompt": "a?", "completion": "good", "rewards": {"liked": 1, "careful": 2}},
        {"prompt": "a?", "completion": "ha ha", "rewards": {"liked": 5, "careful": -1}},
        {"prompt": "a?", "completion": "ha ha", "rewards": {"liked": 5, "careful": -1}},
        {"prompt": "b?", "completion": "ha", "rewards": {"liked": 9, "careful": 0}},  # no better answer is known
        {"prompt": "a?", "completion": "meh", "rewards": {"liked": 1, "careful": 1}},
        {"prompt": "a?", "completion": "?", "rewards": {"liked": None, "careful": 1}},
    ]
    pairs = adversarial.pairs(rows, WEIGHTS, ["careful"], start, count=20)
    assert [(pair["chosen"], pair["rejected"], pair["gap"]) for pair in pairs] == [
        ("good", "ha ha", 6),
        ("good", "meh", 0),
    ]
    assert len(adversarial.pairs(rows, WEIGHTS, ["careful"], start, count=1)) == 1


# ---- independence ----


def model(folder, datasets):
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps({"values": {"datasets": datasets}}))
    return RewardModel(str(folder))


def test_audits_of_the_same_data_are_told(tmp_path):
    trained = model(tmp_path / "reward", [{"path": "rankings"}])
    twin = model(tmp_path / "twin", [{"path": "rankings"}])
    other = model(tmp_path / "other", [{"path": "rankings", "columns": {"careful_rank": "rank"}}])
    assert "twin" in independence.warning([trained], [twin])
    assert independence.warning([trained], [twin, other]) is None
    assert independence.warning([trained], [twin, len]) is None  # a rule
    assert independence.warning([len], [twin]) is None
    assert independence.warning([trained], [RewardModel("org/unknown")]) is None


# ---- what is refused ----


def arguments(tmp_path, **values):
    given = {"use_cpu": True, "bf16": False, "eval_strategy": "steps", "eval_steps": 1, "report_to": "none"}
    sizes = {"per_device_train_batch_size": 8, "per_device_eval_batch_size": 16, "num_generations": 4}
    return GRPOConfig(str(tmp_path), **(given | sizes | values))


REWARDS = {"runs/liked": None, "runs/careful": {"weight": 0}}


@pytest.mark.parametrize(
    ("config", "rewards", "values", "message"),
    [
        ({}, {"runs/liked": None}, {}, "no reward of weight 0 audits"),
        (
            {"audits": ["runs/carefull"]},
            REWARDS,
            {},
            "none of the rewards: did you mean runs/careful|none of the rewards",
        ),
        ({"audits": ["runs/liked"]}, REWARDS, {}, "trained on and audits nothing"),
        ({"audits": []}, REWARDS, {}, "the list is empty"),
        ({}, REWARDS, {"eval_strategy": "no"}, "held-out prompts"),
        ({"action": "raise_kl"}, REWARDS, {}, "no KL to raise"),
        ({"action": "raise_kl", "kl_factor": 1.0}, REWARDS, {"beta": 0.1}, "does not raise"),
        ({"best_of": 1}, REWARDS, {}, "no choice"),
        ({"best_of": 12}, REWARDS, {}, "best_of: per_device_eval_batch_size 16"),
        ({"patience": 0}, REWARDS, {}, "patience"),
        ({"smoothing": 0.0}, REWARDS, {}, "smoothing"),
    ],
)
def test_slips_are_told_before_a_model_loads(tmp_path, config, rewards, values, message):
    with pytest.raises(UserMistake, match=message):
        watch.check(WatchConfig(**config), rewards, arguments(tmp_path, **values), measured=True)


def test_what_is_right_passes(tmp_path):
    watch.check(WatchConfig(audits=["runs/careful"]), REWARDS, arguments(tmp_path), measured=True)
    values = {"rewards": REWARDS, "watch": {"action": "stop"}, "eval_datasets": [{"path": "x"}]}
    assert list(watch.mistakes(values)) == []
    assert [key for key, _ in watch.mistakes({"rewards": {"runs/liked": None}, "watch": {}})] == ["watch", "watch"]


# ---- the picture ----


def test_the_picture_shows_a_run_with_and_without_best_of_n(tmp_path):
    history = [measurement(step, step, -step, kl=step * step) for step in range(4)]
    report = {
        "best_of_n": [{"n": n, "kl": best_of_n.kl(n), "proxy": n, "rewards": {"careful": None}} for n in (1, 2, 4)],
        **{"audits": ["careful"], "best_step": 1, "events": [{"step": 3, "action": "stop"}], "reason": "it fell"},
    }
    for points in (report["best_of_n"], []):
        picture.draw(tmp_path / "watch.png", report | {"best_of_n": points}, history)
        assert (tmp_path / "watch.png").stat().st_size > 5000
    assert picture.title(report, "ppo") == "ppo: stopped at step 3, step 1 kept"
