// Classic consumers: members that share the queues of a group, and one that reads
// with a filter of its own.
#ifndef TOTORA_TESTS_SIM_CLASSIC_CONSUMER_H_
#define TOTORA_TESTS_SIM_CLASSIC_CONSUMER_H_

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "message/codec.h"
#include "tests/sim/classic_member.h"

namespace totora::sim {

// Pulls the queues that fall to it, reports how far it has come, sends some
// messages back. Queues change hands when members do.
class ClassicConsumer : public ClassicMember {
 public:
  using ClassicMember::ClassicMember;

 protected:
  void Registered() override { ReportLater(); }
  void MembersKnown(const std::vector<std::string>& members) override;

 private:
  using Queue = std::pair<std::string, uint32_t>;
  struct Work {
    uint64_t number = 0;     // Answers of an earlier time are of no use.
    bool has_offset = false;
    uint64_t next = 0;
    uint64_t stored = 0;     // As the broker has said.
  };

  Work* Find(const Queue& queue, uint64_t number);
  void Take(const Queue& queue);
  void GiveBack(const Queue& queue);
  void AskOffset(const Queue& queue, uint64_t number);
  void Pull(const Queue& queue, uint64_t number);
  // Returns whether to go on at once.
  bool Pulled(const Queue& queue, uint64_t asked, const remoting::Command& answer, uint64_t* next);
  void Consume(const Queue& queue, const message::StoredMessageView& message);
  void SendBack(const message::StoredMessageView& message);
  void ReportLater();
  void Report(const Queue& queue, uint64_t offset);

  std::map<Queue, Work> queues_;
  uint64_t works_ = 0;
};

// Reads all queues on its own, of one tag only, and now and then asks for what is
// not there.
class ClassicReader : public ClassicClient {
 public:
  ClassicReader(ClassicWorld* world, std::string id) : ClassicClient(world, std::move(id)) {}

  void Read();

 private:
  void Pull();
  void Probe();
  void Pulled(uint32_t queue, const absl::StatusOr<remoting::Command>& answer);

  std::vector<uint64_t> next_;
  std::vector<std::set<uint64_t>> shown_;
};

}  // namespace totora::sim

#endif  // TOTORA_TESTS_SIM_CLASSIC_CONSUMER_H_
