"""Makes the metadata of every file: that it is synthetic media, and what made it.

The field `C2PA` is a manifest definition of the C2PA specification: which software created the file, with which weights
and seed, and the IPTC type of its source. It is not signed, so it informs but proves nothing; `c2patool` can sign it as
it is.
"""

from __future__ import annotations

import json
from xml.sax.saxutils import escape

PROGRAM = "Speech Face"
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
_PACKET = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:dc="http://purl.org/dc/elements/1.1/"
    xmlns:xmp="http://ns.adobe.com/xap/1.0/"
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">
   <Iptc4xmpExt:DigitalSourceType>{DigitalSourceType}</Iptc4xmpExt:DigitalSourceType>
   <Iptc4xmpExt:AISystemUsed>{program}</Iptc4xmpExt:AISystemUsed>
   <Iptc4xmpExt:AISystemVersionUsed>{Software}</Iptc4xmpExt:AISystemVersionUsed>
   <xmp:CreatorTool>{Software}</xmp:CreatorTool>
   <dc:description><rdf:Alt><rdf:li xml:lang="x-default">{Description}</rdf:li></rdf:Alt></dc:description>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="r"?>"""


def synthetic_tags(weights_version: str, seed: int) -> dict[str, str]:
    """The metadata of every generated file."""
    description = "Synthetic media: this face was generated from speech."
    created = {
        "action": "c2pa.created",
        "digitalSourceType": SOURCE_TYPE,
        "softwareAgent": {"name": PROGRAM, "version": weights_version},
        "description": description,
        "parameters": {"weights": weights_version, "seed": seed},
    }
    manifest = {
        "claim_generator_info": [{"name": PROGRAM}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [created]}}],
    }
    return {
        "Software": f"{PROGRAM}, weights {weights_version}",
        "Description": description,
        "DigitalSourceType": SOURCE_TYPE,
        "Seed": str(seed),
        "C2PA": json.dumps(manifest),
    }


def xmp_packet(tags: dict[str, str]) -> str:
    """The tags as XMP, which picture libraries and news desks read."""
    return _PACKET.format(program=PROGRAM, **{name: escape(text) for name, text in tags.items()})
