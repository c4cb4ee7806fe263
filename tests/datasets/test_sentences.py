"""Sentences of labels: every class of the known data sets has descriptions of its own."""

import pytest

from kinjo.datasets import DATASETS
from kinjo.datasets.sentences import GYM_SENTENCES, NULL_SENTENCES, SENTENCES, TEMPLATES, sentences

CLASSES = {name: DATASETS[name].CARD.classes for name in SENTENCES}
MORE = {"mmact": {"carrying heavy", "carrying light"}}
"""Labels that occur beside the official classes."""


@pytest.mark.parametrize("dataset", CLASSES)
def test_every_class_is_described_and_no_other(dataset: str):
    assert set(SENTENCES[dataset]) == {label for label in CLASSES[dataset] if label} | MORE.get(dataset, set())
    for label, described in SENTENCES[dataset].items():
        assert len(described) >= 2, label
        said = sentences(dataset, label)
        assert len(said) == len(set(said)) == len(TEMPLATES) + len(described)
        assert said[0] == label
        assert all(s == s.strip() and s for s in said)


@pytest.mark.parametrize("dataset", CLASSES)
def test_no_two_classes_share_a_description(dataset: str):
    described = [s for of_class in SENTENCES[dataset].values() for s in of_class]
    assert len(described) == len(set(described))


def test_no_label_is_null():
    for dataset in (*CLASSES, "gym", "made"):
        assert sentences(dataset, "") == NULL_SENTENCES


def test_what_is_not_known():
    assert sentences("made", "hopping") == tuple(t.format("hopping") for t in TEMPLATES)
    with pytest.raises(ValueError, match="no words for 'hopping' of motionsense; there are: downstairs, upstairs"):
        sentences("motionsense", "hopping")


def test_the_gym_has_its_own_grammar():
    from kinjo.datasets.gym.movements import MOVEMENTS

    label = next(iter(MOVEMENTS))
    said = sentences("gym", label)
    assert 1 < len(said) <= GYM_SENTENCES
    assert said == sentences("gym", label)
