"""The table must show what failed and what missed its aim."""

import contextlib
import io
import unittest

from classic_kill import Figures
from classic_table import Table

CLIENTS = {"java": ("client 1", {"producer": 1, "consumer": 2}, {"producer": 35, "consumer": 35})}


def figures(producer, consumer, resent=9, stored=9):
    return Figures({"producer": producer, "consumer": consumer}, resent, stored)


class Markdown(unittest.TestCase):
    def setUp(self):
        self.table = Table()
        self.add("java", "sync", [])
        self.add("java", "tags", [])

    def add(self, *row):
        with contextlib.redirect_stdout(io.StringIO()):
            self.table.add(*row)

    def row(self):
        return self.table.markdown(CLIENTS).splitlines()[2]

    def test_one_row_a_client(self):
        self.add("java", "kill-group", [], "", figures(0.31, 0.4))
        self.add("java", "kill-direct", [], "", figures(30.2, 31, 20, 19))
        self.assertEqual(self.row(), "| java (client 1) | 2 of 2 | 0.3 (≤ 1) | 0.4 (≤ 2) "
                                     "| 30.2 (≤ 35) | 31.0 (≤ 35) | 9 / 9, 20 / 19 |")

    def test_kills_stand_side_by_side_and_what_missed_its_aim_is_bold(self):
        self.add("java", "kill-group 1", [], "", figures(0.3, 0.4))
        self.add("java", "kill-group 2", [], "", figures(1.2, 0.4))
        self.assertIn("| 0.3, **1.2** (≤ 1) | 0.4, 0.4 (≤ 2) |", self.row())

    def test_what_did_not_run_is_a_dash(self):
        self.assertEqual(self.row(), "| java (client 1) | 2 of 2 | – | – | – | – | – |")

    def test_what_failed_is_named(self):
        self.add("java", "batch", ["one is missing"])
        self.add("java", "kill-group", ["lost"])
        self.add("java", "kill-direct", ["lost"], "", figures(3, 4))
        text = self.table.markdown(CLIENTS)
        self.assertIn("2 of 3", self.row())
        self.assertIn("**FAILED** (≤ 1)", self.row())
        self.assertIn("3.0 FAILED (≤ 35)", self.row())
        self.assertIn("\nFAILED: java batch\n", text)
        self.assertFalse(self.table.passed())

    def test_those_who_are_no_clients_are_counted_below(self):
        self.add("examples", "quickstart.Producer", [])
        self.assertIn("\nexamples: 1 of 1\n", self.table.markdown(CLIENTS))

    def test_an_empty_table_has_not_passed(self):
        self.assertTrue(self.table.passed())
        self.assertFalse(Table().passed())


if __name__ == "__main__":
    unittest.main()
