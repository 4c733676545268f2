// What the nameservers told of all groups: one table per nameserver, the
// highest term counts where they differ.
#ifndef TOTORA_BROKER_ROUTE_BOOK_H_
#define TOTORA_BROKER_ROUTE_BOOK_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/mutex.h"
#include "proto/namesrv.pb.h"

namespace totora::broker {

// Thread safety: monitor.
class RouteBook {
 public:
  // Takes an update of nameserver number `source` in. False if it does not
  // continue what is known: the stream should be opened anew.
  bool Take(size_t source, const namesrv::TableUpdate& update) ABSL_LOCKS_EXCLUDED(mu_);
  // The stream to that nameserver broke; what it told stays.
  void Disconnected(size_t source) ABSL_LOCKS_EXCLUDED(mu_);

  bool IsConnected() const ABSL_LOCKS_EXCLUDED(mu_);

  // The group's route by the nameserver that knows the highest term; without topics.
  std::optional<namesrv::GroupRoute> FindGroup(absl::string_view group_name) const
      ABSL_LOCKS_EXCLUDED(mu_);

  struct TopicInGroup {
    namesrv::GroupRoute group;
    model::Topic topic;
  };
  // Every group that has `topic`, by group name.
  std::vector<TopicInGroup> FindTopic(absl::string_view topic) const ABSL_LOCKS_EXCLUDED(mu_);

  // Every group, by name, with the number of its topics.
  std::vector<std::pair<namesrv::GroupRoute, size_t>> Groups() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Group {
    namesrv::GroupRoute route;
    std::map<std::string, model::Topic, std::less<>> topics;
  };
  struct Table {
    bool is_connected = false;
    uint64_t table_id = 0;
    uint64_t version = 0;
    std::map<std::string, Group, std::less<>> groups;
  };
  // By group name, of the table with the highest term.
  std::map<absl::string_view, const Group*> Best() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;  // Leaf.
  std::map<size_t, Table> tables_ ABSL_GUARDED_BY(mu_);
};

}  // namespace totora::broker

#endif  // TOTORA_BROKER_ROUTE_BOOK_H_
