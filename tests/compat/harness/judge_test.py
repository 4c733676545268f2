"""The judge must complain when a promise is broken: each test breaks one."""

import unittest

import judge
import plan as plans

SEED = "s"
TOPIC = "t"


class Judged(unittest.TestCase):
    def setUp(self):
        self.plan = plans.make(4, SEED, size=40)
        self.sends = [{"event": "sent", "index": m.index, "id": f"id{m.index}",
                       "ms": 1000 + m.index * 10} for m in self.plan]
        self.receives = []
        for message in self.plan:
            self.receives.append(self.delivery(message))
            self.receives.append({"event": "acked", "ms": 0, "id": f"id{message.index}"})

    @staticmethod
    def delivery(message, attempt=1, ms=0):
        return {"event": "received", "id": f"id{message.index}", "topic": TOPIC, "ms": ms,
                "size": message.size, "sha256": message.body_sha256(SEED), "tag": message.tag,
                "keys": list(message.keys), "properties": dict(message.properties),
                "attempt": attempt, "born_ms": 0}

    def once(self):
        return judge.exactly_once(self.plan, SEED, TOPIC, self.sends, self.receives, True)

    def killed(self, stored=None, killed_ms=1015):
        stored = [f"id{n}" for n in range(4)] if stored is None else stored
        return judge.survived_kill(self.plan, SEED, TOPIC, self.sends, self.receives, stored,
                                   killed_ms, wanted=4, failures_max=0)

    def test_no_complaint_when_all_is_well(self):
        self.assertEqual(self.once(), [])
        self.assertEqual(self.killed(), [])

    def test_a_lost_message_is_seen(self):
        del self.receives[0]
        self.assertIn("delivered 0 times", self.once()[0])
        self.assertIn("never delivered", self.killed()[0])

    def test_a_second_delivery_is_seen(self):
        self.receives.append(self.delivery(self.plan[2], attempt=2))
        self.assertIn("delivered 2 times", self.once()[0])
        self.assertEqual(self.killed(), [])  # Allowed there, and counted.
        self.assertEqual(judge.deliveries_more_than_once(self.receives), 1)

    def test_each_changed_part_is_seen(self):
        for name, value in (("sha256", "00"), ("size", 41), ("tag", None), ("keys", []),
                            ("properties", {}), ("topic", "other"), ("attempt", 2)):
            with self.subTest(name):
                self.setUp()
                self.receives[0][name] = value
                self.assertEqual(len(self.once()), 1)

    def test_a_stranger_is_seen(self):
        stranger = self.delivery(self.plan[0])
        stranger["id"] = "other"
        self.receives.append(stranger)
        self.assertIn("nobody sent", self.once()[0])

    def test_one_id_for_two_messages_is_seen(self):
        self.sends[1]["id"] = "id0"
        self.assertIn("3 distinct", self.once()[0])

    def test_failures_are_seen(self):
        self.receives.append({"event": "ack_failed", "id": "id0", "ms": 0, "error": "no"})
        self.assertEqual(len(self.once()), 1)
        self.sends.append({"event": "send_failed", "index": 3, "ms": 0, "error": "no"})
        self.assertEqual(len(self.once()), 2)
        self.assertIn("failed visibly", self.killed()[0])

    def test_a_missing_acknowledgement_is_seen(self):
        del self.receives[1]
        self.assertIn("not acknowledged", self.once()[0])

    def test_what_the_log_holds_twice_or_not_at_all_is_seen(self):
        self.assertIn("stored 2 times", self.killed(["id0", "id0", "id1", "id2", "id3"])[0])
        self.assertIn("not in the log", self.killed(["id0", "id1", "id2"])[0])

    def test_a_kill_outside_the_sends_is_seen(self):
        self.assertIn("in the middle", self.killed(killed_ms=1)[0])
        self.assertIn("in the middle", self.killed(killed_ms=9999)[0])

    def test_the_standstill_is_the_longest_gap_that_ends_after_the_kill(self):
        times = (0, 900, 1000, 1400, 1450)  # Killed at 1001; the first gap is older.
        sends = [{"event": "sent", "ms": ms} for ms in times]
        self.assertEqual(judge.standstill_ms(sends, 1001), 400)

    def test_redelivery_must_be_in_time_and_once(self):
        plan = self.plan[:1]

        def judged(second_ms, *more):
            events = [self.delivery(plan[0]), self.delivery(plan[0], 2, second_ms),
                      {"event": "acked", "id": "id0", "ms": 0}, *more]
            return judge.redelivered(plan, SEED, TOPIC, self.sends[:1], events, 10, 20)

        self.assertEqual(judged(12000), [])
        self.assertEqual(judged(10000), [])
        self.assertIn("came back 9.9 s after its birth", judged(9900)[0])
        self.assertIn("came back after 25.0 s", judged(25000)[0])
        self.assertIn("[1, 2, 3]", judged(12000, self.delivery(plan[0], 3, 24000))[0])

    def test_bodies_have_their_size_and_differ(self):
        hashes = {m.body_sha256(SEED) for m in plans.make(50, SEED, size=33)}
        self.assertEqual(len(hashes), 50)
        sizes = [m.size for m in plans.make(500, SEED)]
        self.assertEqual((min(sizes), max(sizes)), (1, plans.BODY_BYTES_MAX))


if __name__ == "__main__":
    unittest.main()
