import json
import math

from backend_server.evaluation.report import Picture, Section, Table, write_report

TABLE = Table("Motion", ("LMD", "who"), (("ours", (1.23456, "s1 <b>")), ("static", (math.nan, "–"))))


def test_what_is_measured_stands_in_the_page_and_in_the_data(tmp_path):
    section = Section("Motion & mouth", ("Lower is better.",), (TABLE,), (Picture("a.png", "curves"),))
    printed = write_report(tmp_path, "Evaluation", {"weights": "0123456789ab"}, [section])
    page = (tmp_path / "report.html").read_text("utf-8")
    for expected in ("0123456789ab", "Motion &amp; mouth", "1.235", "s1 &lt;b&gt;", 'src="a.png"', "Lower is better."):
        assert expected in page
    assert "| ours | 1.235 | s1 <b> |" in printed
    document = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert document["tables"]["Motion"] == {
        "ours": {"LMD": 1.23456, "who": "s1 <b>"},
        "static": {"LMD": None, "who": "–"},
    }
