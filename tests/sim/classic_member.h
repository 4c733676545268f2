// A classic client that is a member of a consumer group: it heartbeats, asks who
// the members are, and must never find itself missing.
#ifndef TOTORA_TESTS_SIM_CLASSIC_MEMBER_H_
#define TOTORA_TESTS_SIM_CLASSIC_MEMBER_H_

#include <string>
#include <vector>

#include "tests/sim/classic_client.h"

namespace totora::sim {

class ClassicMember : public ClassicClient {
 public:
  ClassicMember(ClassicWorld* world, std::string id, std::string group);

  // Says goodbye, and ends the connection.
  void Leave();
  // Ends the connection without a word.
  void Die();

  const std::string& group() const { return group_; }

 protected:
  void Connected(bool is_clean) override;
  void LeftLiveBroker() override;
  void LinkBroke() override;
  // For the first time.
  virtual void Registered() {}
  virtual void MembersKnown(const std::vector<std::string>& members) {
    static_cast<void>(members);
  }
  bool is_registered() const { return is_registered_; }

 private:
  void Heartbeat();
  void HeartbeatLater();
  void AskMembers();
  void SawMembers(bool must_know, const absl::StatusOr<remoting::Command>& answer);

  const std::string group_;
  // Java 5 does when it connects again; Go and Java 4.9 wait for their next one.
  const bool is_prompt_;
  const absl::Duration interval_;
  bool is_registered_ = false;
  bool is_leaving_ = false;
  uint64_t broken_ = 0;         // The connection that the network cut last.
  bool must_heartbeat_ = true;  // What it said before does not count any more.
  uint64_t heartbeat_ = 0;
};

// A member that comes, asks now and then, and goes again, one way or the other.
class ClassicPasserby : public ClassicMember {
 public:
  ClassicPasserby(ClassicWorld* world, std::string id, std::string group, absl::Duration stay)
      : ClassicMember(world, std::move(id), std::move(group)), stay_(stay) {}

 protected:
  void Registered() override {
    After(stay_, [this] { world_->random().Chance(0.5) ? Leave() : Die(); });
  }

 private:
  const absl::Duration stay_;
};

// An orderly consumer, as far as locks go: takes queues, keeps them for a while,
// gives them back.
class ClassicLocker : public ClassicMember {
 public:
  using ClassicMember::ClassicMember;

 protected:
  void Registered() override { Lock(); }

 private:
  std::string Body() const;
  void Lock();
  void Unlock();

  int renewals_ = 0;  // Left before it gives them back.
};

}  // namespace totora::sim

#endif  // TOTORA_TESTS_SIM_CLASSIC_MEMBER_H_
