"""The judge must complain when a promise is broken: each test breaks one."""

import unittest

import classic_judge as judge

SEED = "s"
KILLED = 1015
SETTLED = 500


class Killed(unittest.TestCase):
    """Four messages and one object sent three times, two consumers with two of
    four queues each."""

    def setUp(self):
        self.sends = [{"event": "sent", "index": n, "id": f"id{n}", "ms": 1000 + n * 10,
                       "body": f"m-{n}-{SEED}"} for n in range(4)]
        self.sends += [{"event": "resent", "n": n, "id": "again", "ms": 900 + n * 2000,
                        "offset_id": f"o{n}", "took_ms": 5} for n in range(3)]
        self.receives = [[{"event": "queues", "ms": 100, "count": 4},
                          {"event": "queues", "ms": 400, "count": 2}],
                         [{"event": "queues", "ms": 400, "count": 2}]]
        for n in range(4):
            self.receives[n % 2].append(self.delivery(n))
        for n in range(3):
            self.receives[0].append({**self.delivery(0), "id": "again", "offset": 10 + n,
                                      "body": f"again-{SEED}"})
        self.stored = [f"id{n}" for n in range(4)] + ["again"] * 3

    @staticmethod
    def delivery(n):
        return {"event": "received", "id": f"id{n}", "body": f"m-{n}-{SEED}", "ms": 1020 + n * 10,
                "queue": n, "offset": 0, "reconsume": 0}

    def complaints(self, killed_ms=KILLED):
        return judge.survived_kill(SEED, self.sends, self.receives, self.stored, killed_ms,
                                   SETTLED, 4)

    def assertOne(self, text):
        complaints = self.complaints()
        self.assertEqual(len(complaints), 1, complaints)
        self.assertIn(text, complaints[0])

    def test_no_complaint_when_all_is_well(self):
        self.assertEqual(self.complaints(), [])

    def test_a_lost_message_is_seen(self):
        self.receives[1] = [e for e in self.receives[1] if e.get("id") != "id1"]
        self.assertOne("message 1 was acknowledged and never received")

    def test_a_message_missing_in_the_log_is_seen(self):
        self.stored.remove("id2")
        self.assertOne("message 2 was acknowledged and is not in the log")

    def test_a_message_stored_twice_is_seen(self):
        self.stored.append("id2")
        self.assertOne("id2 is stored 2 times")

    def test_an_unacknowledged_message_stored_twice_is_seen(self):
        self.sends.append({"event": "send_failed", "index": 4, "ms": 1050, "error": "no"})
        self.stored.append("id4")
        self.assertEqual(self.complaints(), [])
        self.stored.append("id4")
        self.assertOne("id4 is stored 2 times")

    def test_a_changed_body_is_seen(self):
        self.receives[0][2]["body"] = "other"
        self.assertOne("message 0 came as 'other'")

    def test_one_id_of_two_messages_is_seen(self):
        self.sends[1]["id"] = "id0"
        self.assertIn("two acknowledged sends have one id", self.complaints())

    def swallow(self, n):
        """Resend n was answered with the place of its predecessor."""
        resent = [e for e in self.sends if e["event"] == "resent"]
        resent[n]["offset_id"] = resent[n - 1]["offset_id"]
        self.stored.remove("again")
        self.receives[0] = [e for e in self.receives[0]
                            if e.get("id") != "again" or e["offset"] != 10 + n]

    def test_the_first_resend_after_the_kill_may_be_taken_for_a_retry(self):
        self.assertEqual(judge.resends(self.sends, self.stored), (3, 3))
        self.swallow(1)
        self.assertEqual(self.complaints(), [])
        self.assertEqual(judge.resends(self.sends, self.stored), (3, 2))
        self.assertEqual([e["n"] for e in judge.taken_for_retries(self.sends)], [1])

    def test_a_later_resend_may_not(self):
        self.swallow(2)
        self.assertOne("resend 2, 3.9 s after the kill, was taken for a retry")

    def test_nor_one_before_the_kill(self):
        self.swallow(1)
        complaints = judge.survived_kill(SEED, self.sends, self.receives, self.stored, 3500,
                                         SETTLED, 4)
        self.assertIn("resend 1, -0.6 s after the kill, was taken for a retry", complaints[-1])

    def test_an_answer_of_the_dying_broker_does_not_count_as_the_first_after_the_kill(self):
        self.sends[-2]["ms"] = KILLED + 1
        self.swallow(2)
        self.assertEqual(self.complaints(), [])

    def test_a_resend_behind_a_late_answer_may_be_taken_for_a_retry(self):
        self.sends[-2]["took_ms"] = 2600
        self.swallow(2)
        self.assertEqual(self.complaints(), [])

    def test_two_resends_may_never_be(self):
        self.sends[-2]["took_ms"] = 2600
        self.swallow(1)
        self.swallow(2)
        self.assertOne("resend 2, 3.9 s after the kill, was taken for a retry")

    def test_a_resend_that_has_a_place_and_is_not_in_the_log_is_seen(self):
        del self.receives[0][-1], self.stored[-1]
        self.assertOne("sent 3 times on purpose, but for what was taken for a retry, and is "
                       "stored 2 times")

    def test_a_resend_stored_twice_is_seen(self):
        self.stored.append("again")
        self.receives[0].append({**self.delivery(0), "id": "again", "offset": 99})
        self.assertOne("and is stored 4 times")
        self.sends.append({"event": "resend_failed", "n": 4, "ms": 1050, "error": "no"})
        self.assertEqual(self.complaints(), [])

    def test_a_resend_that_no_consumer_got_is_seen(self):
        del self.receives[0][-1]
        self.assertOne("stored 3 times was received from 2 places")

    def test_a_program_that_keeps_the_id_to_itself_is_seen(self):
        del self.sends[-1]["id"]
        self.assertOne("does not say which id")

    def test_resends_may_have_ids_of_their_own_and_none_is_a_retry_then(self):
        for events in (self.sends, self.receives[0]):
            for n, event in enumerate(e for e in events if e.get("id") == "again"):
                event["id"] = f"again{n}"
                if "offset_id" in event:
                    event["offset_id"] = "0"
        self.stored = [f"id{n}" for n in range(4)] + [f"again{n}" for n in range(3)]
        self.assertEqual(self.complaints(), [])
        del self.stored[-1], self.receives[0][-1]
        self.assertOne("and is stored 2 times")

    def test_retries_under_a_new_id_are_counted(self):
        self.assertEqual(judge.stored_under_new_ids(self.sends, self.receives), 0)
        self.receives[0].append({**self.delivery(0), "id": "new", "offset": 5})
        self.assertEqual(judge.stored_under_new_ids(self.sends, self.receives), 1)

    def test_a_kill_outside_the_sends_is_seen(self):
        self.assertIn("in the middle", self.complaints(1)[0])
        self.assertIn("in the middle", self.complaints(9999)[0])

    def test_a_dropped_queue_is_seen_even_if_it_is_taken_again(self):
        self.receives[1] += [{"event": "queues", "ms": 1100, "count": 1},
                             {"event": "queues", "ms": 1110, "count": 2}]
        complaints = self.complaints()
        self.assertEqual(len(complaints), 2)
        self.assertIn("consumer 2 went from 2 queues to 1", complaints[0])

    def test_a_queue_that_nobody_has_at_the_end_is_seen(self):
        self.receives[1] = [e for e in self.receives[1] if e["event"] != "queues"]
        self.receives[1].insert(0, {"event": "queues", "ms": 400, "count": 1})
        self.assertOne("have [2, 1] of 4 queues")

    def test_a_queue_that_wanders_is_seen_without_queue_events(self):
        self.receives = [[e for e in events if e["event"] != "queues"] for events in self.receives]
        self.assertEqual(self.complaints(), [])
        self.receives[1].append({**self.delivery(0), "ms": 2000})
        self.assertOne("queues [0] went from one consumer to the other")

    def test_standstill_and_lateness(self):
        sends = [{"event": "sent", "id": str(ms), "ms": ms} for ms in (0, 900, 1000, 1400, 1450)]
        self.assertEqual(judge.standstill_ms(sends, "sent", 1001), 400)
        receives = [[{"event": "received", "id": "900", "ms": 950}],
                    [{"event": "received", "id": "900", "ms": 2000},
                     {"event": "received", "id": "1400", "ms": 1900}]]
        self.assertEqual(judge.latest_ms(sends, receives), 500)

    def test_deliveries_more_than_once_are_counted(self):
        self.assertEqual(judge.received_more_than_once(self.receives), 0)
        self.receives[0].append(self.delivery(0))
        self.assertEqual(judge.received_more_than_once(self.receives), 1)


class Scenarios(unittest.TestCase):
    def test_what_never_ran_has_failed(self):
        lines = ["ok     sync    1.2s  200 sends", "chatter", "FAILED tags  9s  1 of 2 did not come"]
        self.assertEqual(judge.scenarios(lines, ["sync", "tags", "batch"]),
                         {"sync": (True, "1.2s 200 sends"),
                          "tags": (False, "9s 1 of 2 did not come"),
                          "batch": (False, "never ran")})


if __name__ == "__main__":
    unittest.main()
