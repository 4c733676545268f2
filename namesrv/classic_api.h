// What classic clients and mqadmin ask a nameserver (RocketMQ's
// DefaultRequestProcessor and ClientRequestProcessor).
//
// What the brokers alone decide is refused by name (static topics,
// registration of foreign brokers), or accepted without effect (a topic's
// deletion: it vanishes when the brokers say so).
#ifndef TOTORA_NAMESRV_CLASSIC_API_H_
#define TOTORA_NAMESRV_CLASSIC_API_H_

#include <functional>
#include <set>
#include <string>

#include "common/mutex.h"
#include "namesrv/kv_config.h"
#include "namesrv/route_table.h"
#include "remoting/connection.h"
#include "remoting/remote_admin.h"
#include "remoting/service.h"

namespace totora::namesrv {

struct ClassicApiOptions {
  remoting::RemoteAdmin remote_admin = remoting::RemoteAdmin::kTopics;
  // Routes carry what tools wrote for a topic into the namespace
  // ORDER_TOPIC_CONFIG; clients then publish to those queues only.
  bool tells_order = false;
  // The configuration as a properties text, for GET_NAMESRV_CONFIG.
  std::string properties;
  // Errors: InvalidArgument (no levels). Null: levels cannot be changed.
  std::function<absl::Status(const std::string& levels)> set_log_levels;
};

// Thread safety: handlers run on connections' loops.
class ClassicApi {
 public:
  // `table` must outlive every request.
  ClassicApi(RouteTable* table, ClassicApiOptions options)
      : table_(table), options_(std::move(options)) {}

  void AddTo(remoting::RemotingService* service);

 private:
  using Request = remoting::RemotingRequestPtr;

  void GetRoute(const Request& request) ABSL_LOCKS_EXCLUDED(mu_);
  void GetClusterInfo(const Request& request) const;
  void GetTopics(const Request& request) const;
  void GetTopicsByCluster(const Request& request) const;
  void GetSystemTopics(const Request& request) const;
  void PutKv(const Request& request);
  void GetKv(const Request& request) const;
  void DeleteKv(const Request& request);
  void ListKv(const Request& request) const;
  void SetWritable(const Request& request, bool is_writable) ABSL_LOCKS_EXCLUDED(mu_);
  void DeleteTopic(const Request& request) const;
  void UpdateConfig(const Request& request) const;
  void GetConfig(const Request& request) const;

  // False: it was answered NO_PERMISSION.
  bool MayChange(const Request& request) const;
  TableUpdate QueryTopic(absl::string_view topic) const;
  TableUpdate QueryAll() const { return table_->Query(QueryRoutesRequest()); }

  RouteTable* const table_;
  const ClassicApiOptions options_;
  KvConfig kv_;

  Mutex mu_;  // Leaf.
  std::set<std::string> without_write_ ABSL_GUARDED_BY(mu_);  // Groups that exist.
};

}  // namespace totora::namesrv

#endif  // TOTORA_NAMESRV_CLASSIC_API_H_
