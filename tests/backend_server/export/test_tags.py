"""Metadata of files is read as C2PA's and Adobe's programs would."""

import json
from xml.etree import ElementTree

from backend_server.export.tags import SOURCE_TYPE, synthetic_tags, xmp_packet

IPTC = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"


def test_tags_name_program_weights_seed_and_kind():
    tags = synthetic_tags("abc", 3)
    assert tags["Software"] == "Speech Face, weights abc"
    assert tags["Seed"] == "3"
    assert tags["DigitalSourceType"] == "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    assert "Synthetic media" in tags["Description"]


def test_the_c2pa_field_is_a_manifest_definition():
    manifest = json.loads(synthetic_tags("abc", 3)["C2PA"])
    assert manifest["claim_generator_info"] == [{"name": "Speech Face"}]
    (assertion,) = manifest["assertions"]
    assert assertion["label"] == "c2pa.actions.v2"
    (action,) = assertion["data"]["actions"]
    assert action["action"] == "c2pa.created"
    assert action["digitalSourceType"] == SOURCE_TYPE
    assert action["softwareAgent"] == {"name": "Speech Face", "version": "abc"}
    assert action["parameters"] == {"weights": "abc", "seed": 3}


def test_the_xmp_packet_is_well_formed_whatever_the_version_is_called():
    tree = ElementTree.fromstring(xmp_packet(synthetic_tags("<a & b>", 3)).encode())
    assert [e.text for e in tree.iter(f"{IPTC}DigitalSourceType")] == [SOURCE_TYPE]
    assert [e.text for e in tree.iter(f"{IPTC}AISystemUsed")] == ["Speech Face"]
    assert [e.text for e in tree.iter(f"{IPTC}AISystemVersionUsed")] == ["Speech Face, weights <a & b>"]
