"""What the comparison must notice, and what it must not."""

import unittest

import checks
import normalise
import others
import rates
import stage
import tool

TRACE = """org.apache.rocketmq.tools.command.SubCommandException: TopicStatusSubCommand command failed
\tat org.apache.rocketmq.tools.command.topic.TopicStatusSubCommand.execute(TopicStatusSubCommand.java:112)
Caused by: org.apache.rocketmq.client.exception.MQBrokerException: CODE: 3  DESC:  request type 202 not supported BROKER: 127.0.0.1:10911
For more information, please visit the url, https://rocketmq.apache.org/docs/bestPractice/06FAQ
\tat org.apache.rocketmq.client.impl.MQClientAPIImpl.getTopicStatsInfo(MQClientAPIImpl.java:1)
"""
NULL = """org.apache.rocketmq.tools.command.SubCommandException: X command failed
Caused by: java.lang.NullPointerException: Cannot invoke "java.util.Map.get(Object)"
\tat org.apache.rocketmq.tools.X.execute(X.java:1)
"""


class Server:
    def __init__(self, cluster, broker, address):
        self.cluster = cluster
        self.broker = broker
        self.address = address
        self.addresses = [address]
        self.namesrv = "127.0.0.1:9876"


class Stage:
    def __init__(self, unique_id, offset_id):
        self.sent = {7: stage.Sent(["7", "3", "1", unique_id, offset_id])}


def outcome(out="", err="", status=0, in_time=True):
    return tool.Outcome(["x"], out, err, status, 1.0, in_time)


class Outcomes(unittest.TestCase):
    def test_a_servers_refusal_is_its_text_without_links(self):
        one = outcome(err=TRACE)
        self.assertEqual(one.kind, "refused")
        self.assertEqual(one.text, "CODE: 3  DESC:  request type 202 not supported")

    def test_a_null_pointer_is_no_refusal(self):
        self.assertEqual(outcome(err=NULL).kind, "broken")

    def test_a_trace_behind_a_table_counts(self):
        self.assertEqual(outcome(out="#Cluster\nx\n" + NULL).kind, "broken")

    def test_a_command_that_does_not_end_is_not_well(self):
        self.assertEqual(outcome(out="#A\n1\n", in_time=False).kind, "endless")

    def test_help_instead_of_an_answer_is_named(self):
        self.assertEqual(outcome(out="usage: mqadmin topicRoute -n <arg>\n").kind, "usage")

    def test_a_hang_is_a_fault_unless_the_command_is_endless(self):
        hang, fine = outcome(in_time=False), outcome(out="done\n")
        self.assertIsNotNone(others.differs("topicRoute", fine, hang))
        self.assertIsNone(others.differs("clusterRT", hang, hang))


class Normal(unittest.TestCase):
    def setUp(self):
        self.theirs = normalise.Names([Server("c1", "broker-a", "127.0.0.1:10911")],
                                      Stage("7F0000010001", "7F00000100002A9F0000000000000001"))
        self.ours = normalise.Names([Server("c2", "group-1", "127.0.0.1:20911")],
                                    Stage("7F0000010002", "7F00000100002A9F0000000000000099"))

    def same(self, theirs, ours):
        return self.theirs.normalise(theirs) == self.ours.normalise(ours)

    def test_names_addresses_ids_and_times_may_differ(self):
        self.assertTrue(self.same(
            "broker-a  0  127.0.0.1:10911 7F0000010001 2026-11-21 10:00:00,001\n",
            "group-1   0    127.0.0.1:20911 7F0000010002 2026-11-21 10:00:09,999\n"))

    def test_offsets_may_not(self):
        self.assertFalse(self.same("broker-a 0 5", "group-1 0 6"))

    def test_another_message_may_not(self):
        self.assertFalse(self.same("7F0000010001", "7F00000100FF"))

    def test_the_order_of_properties_may_differ(self):
        self.assertTrue(self.same("properties={a=1, b=2}", "properties={b=2, a=1}"))
        self.assertFalse(self.same("properties={a=1, b=2}", "properties={a=1}"))

    def test_what_only_rocketmq_stores_is_taken_from_the_size_too(self):
        self.assertTrue(self.same(
            "storeSize=269, properties={number=6, MSG_REGION=DefaultRegion, WAIT=true, TRACE_ON=true}",
            "storeSize=230, properties={number=6, WAIT=true}"))
        self.assertFalse(self.same(
            "storeSize=269, properties={number=6, MSG_REGION=DefaultRegion, WAIT=true, TRACE_ON=true}",
            "storeSize=231, properties={number=6, WAIT=true}"))

    def test_a_broker_is_not_found_inside_other_words(self):
        self.assertEqual(self.theirs.normalise("broker-a-2 broker-a"), ["broker-a-2 BROKER"])


class Checks(unittest.TestCase):
    def test_lines_are_compared_in_order_unless_said_otherwise(self):
        names = normalise.Names([Server("c", "b", "127.0.0.1:1")], Stage("A", "B"))
        sides = [checks.Side(None, None, names, outcome(text)) for text in ("1\n2\n", "2\n1\n")]
        self.assertTrue(checks.Check("x").compare(*sides))
        self.assertFalse(checks.Check("x", unordered=True).compare(*sides))

    def test_a_rate_off_by_more_than_a_tenth_is_wrong(self):
        self.assertTrue(rates.Rate("totora", "x", [191.0], 200.0).ok())
        self.assertFalse(rates.Rate("totora", "x", [179.0], 200.0).ok())
        self.assertFalse(rates.Rate("totora", "x", [], 200.0).ok())

    def test_one_row_that_is_wrong_is_enough(self):
        self.assertFalse(rates.Rate("totora", "x", [200.0, 0.0, 200.0], 200.0).ok())

    def test_the_days_sums_are_compared_with_the_truth_and_not_with_rocketmqs(self):
        def differences(theirs, ours):
            return checks.same_stats(*[
                checks.Side(None, None, normalise.Names([Server("c", "b", "127.0.0.1:1")],
                                                        Stage("A", "B")), outcome(text))
                for text in (theirs, ours)])
        young = "#Topic\norders shipping 8 0.00 0.00 0 0\norders orders 28 0.00 0.00 0 0\n"
        self.assertFalse(differences(young, "orders shipping 8 0.10 0.00 28 20\n"))
        self.assertTrue(differences(young, "orders shipping 8 0.10 0.00 84 20\n"))
        self.assertTrue(differences(young, "orders shipping 7 0.10 0.00 28 20\n"))
        self.assertTrue(differences(young, ""))

    def test_each_replica_has_a_row_and_the_group_address_is_id_0(self):
        server = Server("c", "b", "127.0.0.1:1")
        server.addresses = [f"127.0.0.1:{port}" for port in (1, 2, 3, 4)]
        head = "#Cluster #BID\n"
        row = "c b {} 127.0.0.1:{} V5_3_3 0.00(0,0ms) true\n"
        def differences(ids):
            text = head + "".join(row.format(number, port) for number, port in ids)
            sides = [checks.Side(server, None, None, outcome(one)) for one in (head, text)]
            return checks.same_cluster_table(*sides)
        self.assertFalse(differences([(0, 1), (1, 2), (2, 3), (3, 4)]))
        self.assertTrue(differences([(0, 2), (1, 3), (2, 4)]))
        self.assertTrue(differences([(0, 1), (1, 2), (2, 3)]))


if __name__ == "__main__":
    unittest.main()
