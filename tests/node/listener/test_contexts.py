"""What is offered is what the core can decode."""

from __future__ import annotations

import pytest

from cxr_core.reading import read_image
from dicom_node.listener.contexts import IMAGE_CLASSES, RESULT_CLASSES, TRANSFER_SYNTAXES, offered_contexts
from tests.dicom_builder import EIGHT_BIT, build
from tests.dicom_builder import TRANSFER_SYNTAXES as KNOWN
from tests.node.listener.harness import CR, EXPLICIT, running

HTJ2K = {name for name in KNOWN if name.startswith("htj2k")}


@pytest.mark.parametrize("name", sorted(set(KNOWN) - HTJ2K))
def test_every_syntax_that_is_offered_is_decoded(name):
    assert KNOWN[name] in TRANSFER_SYNTAXES
    image = read_image(build(syntax=name, bits_stored=8 if name in EIGHT_BIT else 12))
    assert image.stored.shape == (96, 80)


def test_nothing_else_is_offered():
    assert len(TRANSFER_SYNTAXES) == len(set(TRANSFER_SYNTAXES)) == len(set(KNOWN) - HTJ2K)


def test_radiographs_and_our_own_results_are_taken():
    offered = {str(c.abstract_syntax): c.transfer_syntax for c in offered_contexts(storage=True, commitment=False)}
    assert set(offered) == {"1.2.840.10008.1.1", *map(str, IMAGE_CLASSES), *map(str, RESULT_CLASSES)}
    assert offered[CR] == list(TRANSFER_SYNTAXES)


def test_an_unknown_class_and_an_unknown_syntax_are_refused_one_by_one():
    with running() as node:
        ae = node.ae()
        ae.requested_contexts = []
        ae.add_requested_context("1.2.840.10008.5.1.4.1.1.2", [EXPLICIT])  # CT
        ae.add_requested_context(CR, ["1.2.840.10008.1.2.4.202"])  # HTJ2K
        ae.add_requested_context(CR, ["1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.90", EXPLICIT])
        association = ae.associate("127.0.0.1", node.port, ae_title="CXR_NODE")
        assert [context.result for context in association.rejected_contexts] == [3, 4]
        assert [context.transfer_syntax for context in association.accepted_contexts] == [[EXPLICIT]]
        association.release()


@pytest.mark.parametrize(
    ("proposed", "syntax", "told"),
    [
        ("1.2.840.10008.5.1.4.1.1.2", EXPLICIT, "nothing that is proposed is offered: CT Image Storage"),
        (CR, "1.2.840.10008.1.2.4.202", "nothing that is proposed is offered: Computed Radiography Image Storage"),
        ("1.2.276.0.1.2.3", EXPLICIT, "nothing that is proposed is offered: unknown classes"),
        (CR, EXPLICIT, ""),
    ],
)
def test_an_association_that_will_carry_nothing_is_told_with_the_names_of_what_was_proposed(proposed, syntax, told):
    with running() as node, node.peer() as peer:
        peer.associate(contexts=((1, proposed, (syntax,)),))
        assert node.events.wait("opened")[0].reason == told
