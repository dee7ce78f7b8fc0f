import json
import math

from backend_server.evaluation.goals import Goal
from backend_server.evaluation.page.report import Picture, Section, Table, goals_section, write_report

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


def test_details_are_folded_away_on_the_page_alone(tmp_path):
    detail = Table("Clip by clip", ("LMD",), (("s1", (1.5,)),), is_detail=True)
    printed = write_report(tmp_path, "Evaluation", {}, [Section("Motion", (), (TABLE, detail))])
    page = (tmp_path / "report.html").read_text("utf-8")
    folded = page[page.index("<details>") : page.index("</details>")]
    assert "<summary>Clip by clip</summary>" in folded
    assert "1.500" in folded
    assert "<caption>Motion</caption>" in page
    assert "Motion" not in folded
    assert page.count("<details>") == 1
    assert "### Clip by clip" in printed
    assert "Clip by clip" in json.loads((tmp_path / "report.json").read_text("utf-8"))["tables"]


def test_the_goals_of_all_sections_stand_in_one_table():
    goals = Goal("LMD", 1.22, 1.5, source="the paper"), Goal("PSNR", 36, math.nan, is_least=True)
    sections = [Section("one", (), goals=goals[:1]), Section("none", ()), Section("two", (), goals=goals[1:])]
    assert goals_section(sections).tables[0].rows == (
        ("LMD", ("at most 1.22", "1.500", "no", "the paper")),
        ("PSNR", ("at least 36", "–", "–", "ours")),
    )
