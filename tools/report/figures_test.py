"""python3 tools/report/figures_test.py"""

import unittest

import figures


class Gap(unittest.TestCase):
    def test_spans_the_kill_even_if_it_began_before(self):
        self.assertEqual(figures.gap_ms([0, 10, 20, 320, 330], 25, 1000), 300)

    def test_before_the_kill_and_after_the_restart_do_not_count(self):
        self.assertEqual(figures.gap_ms([0, 900, 910, 920, 930, 2500, 5000], 905, 925), 10)

    def test_nothing_after_the_kill_is_no_short_gap(self):
        self.assertIsNone(figures.gap_ms([0, 10, 20], 25, 1000))

    def test_events_may_come_in_any_order(self):
        self.assertEqual(figures.gap_ms([330, 0, 320, 20, 10], 25, 1000), 300)


class Summary(unittest.TestCase):
    def test_counts_what_is_within_the_aim(self):
        found = figures.summary([100, 200, 501, 500], 500)
        self.assertEqual((found["within"], found["max"], found["median"]), (3, 501, 350))

    def test_a_value_never_reached_is_not_within(self):
        found = figures.summary([100, None, -1], 500)
        self.assertEqual((found["within"], found["count"], found["missing"]), (1, 3, 2))
        self.assertIn("never", figures.summary_row("x", [100, None], 500))


if __name__ == "__main__":
    unittest.main()
