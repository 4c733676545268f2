// The route table as classic clients are told it (RocketMQ's RouteInfoManager).
//
// A group is what they call a broker name. It always has an id 0, or is not
// there: no client sends to a broker name without one. Where the group has an
// address behind which any replica answers, routes list that alone.
#ifndef TOTORA_NAMESRV_CLASSIC_ROUTES_H_
#define TOTORA_NAMESRV_CLASSIC_ROUTES_H_

#include <set>
#include <string>

#include "proto/namesrv.pb.h"
#include "remoting/bodies/config.h"
#include "remoting/bodies/route.h"

namespace totora::namesrv {

// Queues and addresses of one topic. `table` is RouteTable::Query's answer for
// that topic; groups in `without_write` take no messages for now. Without
// brokers: nobody has the topic.
remoting::TopicRouteData TopicRoute(const TableUpdate& table,
                                    const std::set<std::string>& without_write);

// Every live replica at its own address, id 0 being the one that serves.
remoting::ClusterInfo Clusters(const TableUpdate& table);

// Names of all topics in groups of `cluster`; empty: of every cluster.
remoting::TopicList Topics(const TableUpdate& table, const std::string& cluster);

// Names that are also topics in RocketMQ, of clusters and groups, and whom to
// ask for the others.
remoting::TopicList SystemTopics(const TableUpdate& table);

}  // namespace totora::namesrv

#endif  // TOTORA_NAMESRV_CLASSIC_ROUTES_H_
