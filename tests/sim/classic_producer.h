// A classic producer: sends one message after the other, tries again elsewhere
// what was not answered, and sends some objects again on purpose.
#ifndef TOTORA_TESTS_SIM_CLASSIC_PRODUCER_H_
#define TOTORA_TESTS_SIM_CLASSIC_PRODUCER_H_

#include <deque>
#include <string>

#include "tests/sim/classic_client.h"

namespace totora::sim {

class ClassicProducer : public ClassicClient {
 public:
  ClassicProducer(ClassicWorld* world, std::string id) : ClassicClient(world, std::move(id)) {}

  // Sends until the world says so.
  void Produce();
  bool is_idle() const { return is_idle_; }

 private:
  // A Message object of the program.
  struct Message {
    std::string id;
    std::string tag;
    uint32_t queue = 0;
    std::string delivery_property;  // Empty: at once.
    std::string delivery_value;
    int64_t delay_ms = 0;           // That it asks for, from log time;
    int64_t deliver_at_ms = 0;      // or until when.
  };
  // How a call went that was answered at its first attempt.
  struct Smooth {
    Message message;
    uint64_t connection = 0;
    bool was_prompt = false;
    absl::Duration at;
    int64_t passed_ms = 0;     // Not later than when this had passed it was stored.
  };
  enum class Kind { kNew, kDeliberate, kLate };

  void SendNext();
  Message MakeMessage();
  void Begin(Kind kind, Message message, uint64_t first_answered_at = 0);
  void Try();
  void Answered(uint64_t connection, absl::Duration asked_at,
                const absl::StatusOr<remoting::Command>& answer);
  void Succeeded(uint64_t connection, absl::Duration took, const remoting::Command& answer);
  void EndCall();

  uint64_t sequence_ = 0;
  bool is_idle_ = true;
  // The call that is under way.
  Message message_;
  Kind kind_ = Kind::kNew;
  size_t call_ = 0;
  int attempts_ = 0;
  absl::Duration began_at_;
  uint64_t first_answered_at_ = 0;  // Of a repeat: the connection of the first.
  uint64_t steps_before_ = 0;       // Of log time, when it began.
  // Calls that nobody can tell wrong later: one attempt, one answer.
  std::deque<Smooth> smooth_;
};

}  // namespace totora::sim

#endif  // TOTORA_TESTS_SIM_CLASSIC_PRODUCER_H_
