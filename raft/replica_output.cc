// What the core wants done: messages, entries to persist, commits, reads.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/check.h"
#include "common/status.h"
#include "raft/replica_state.h"

namespace totora::raft {
namespace {
// Applied entries kept for followers that lag a little; the log has its own cache.
constexpr uint64_t kTailBytesKept = 4 << 20;
// One AppendRequest, unless its first entry is larger. The core does not know
// how large entries of long ago are and may ask for more.
constexpr uint64_t kAppendMessageBytesMax = 8 << 20;
// One turn of apply: the heartbeat must not wait behind a long replay.
constexpr uint64_t kApplyBytesPerTurn = 4 << 20;
constexpr int kApplyEntriesPerTurn = 256;
}  // namespace

void Replica::State::CarryOut(Output output) {
  const bool was_leader = status.role == Role::kLeader;
  const ReplicaId old_leader = status.leader;
  PersistJob job;
  job.hard_state = output.hard_state;
  if (output.has_role_changed && core->role() == Role::kLeader && !was_leader) BecameLeader();
  if (!output.entries.empty()) TakeEntries(output.entries, &job);
  if (is_stopped) return;
  SendAll(std::move(output.messages_now));
  if (job.hard_state || job.truncate_after || !job.frames.empty()) {
    job.number = ++jobs_issued;
    writer->Add(std::move(job));
  }
  if (!output.messages_after_persist.empty()) {
    if (jobs_done >= jobs_issued) {
      SendAll(std::move(output.messages_after_persist));
    } else {
      after_persist.emplace_back(jobs_issued, std::move(output.messages_after_persist));
    }
  }
  for (const ReadState& read : output.reads) {
    const auto it = barriers.find(read.id);
    if (it == barriers.end()) continue;
    if (read.index) {
      it->second.index = read.index;
    } else {
      executor->PostAfter(options.tick, [self = shared_from_this(), id = read.id] {
        self->AskReadIndex(id);
        self->Drain();
      });
    }
  }
  if (output.commit) ApplySome();
  ResolveBarriers();
  if (output.has_role_changed) {
    if (was_leader && core->role() != Role::kLeader) LostLead();
    PublishStatus();
    if (status.leader != old_leader) {
      TOTORA_LOG(kInfo, "raft") << Field("group", options.group) << Field("replica", options.self)
                                << Field("term", status.term) << Field("leader", status.leader)
                                << "leader changed";
      transport->SetHello(MakeHello());
      if (status.leader.value() != 0) {
        submitter->ResendAll();
        PostFlush();
      }
    }
  }
}

absl::StatusOr<Frame> Replica::State::FrameFor(const EntryMeta& meta) {
  const auto it = staged.find(meta.index);
  if (it != staged.end() && it->second.header.term == meta.term) return std::move(it->second);
  if (meta.type == EntryType::kNoop) return BuildFrame(meta, "");
  return absl::InternalError(absl::StrCat("no bytes for entry ", meta.index.value()));
}

void Replica::State::TakeEntries(const std::vector<EntryMeta>& entries, PersistJob* job) {
  const LogIndex first = entries.front().index;
  if (first <= last_header.index) {
    job->truncate_after = first.Prev();
    CutTail(first.Prev());
    if (is_stopped) return;
  }
  for (const EntryMeta& meta : entries) {
    absl::StatusOr<Frame> frame = FrameFor(meta);
    TOTORA_CHECK(frame.ok()) << frame.status();
    const FrameHeader& header = frame->header;
    const BytePosition start =
        last_header.index.value() == 0 ? BytePosition(0) : last_header.end();
    if (header.start != start || header.chain_crc != ChainCrc(last_header.chain_crc, header)) {
      // Same index and term, another history: never happens unless bytes rotted
      // or two groups were mixed up. Going on would spread it.
      Die(absl::DataLossError(absl::StrCat("entry ", header.index.value(), " of term ",
                                           header.term.value(),
                                           " does not continue this replica's log")));
      return;
    }
    segment_used = header.begins_segment ? 0 : segment_used;
    segment_used += meta.bytes;
    last_header = header;
    tail_bytes += meta.bytes;
    unwritten.Add(*frame);
    job->frames.push_back(*frame);
    tail.push_back(*std::move(frame));
  }
  staged.clear();
}

void Replica::State::CutTail(LogIndex last_kept) {
  TOTORA_CHECK(last_kept >= applied) << "cutting behind applied entry " << applied;
  unwritten.CutAfter(last_kept);
  while (!tail.empty() && tail.back().header.index > last_kept) {
    tail_bytes -= tail.back().meta().bytes;
    tail.pop_back();
  }
  if (last_kept.value() == 0) {
    last_header = FrameHeader();
  } else if (!tail.empty()) {
    last_header = tail.back().header;
  } else {
    const absl::StatusOr<std::vector<Frame>> frames = log->ReadFrames(last_kept, last_kept, 1);
    if (!frames.ok()) return Die(frames.status());
    last_header = frames->front().header;
  }
  if (synced > last_kept.value()) {
    synced = last_kept.value();
    // Or a checkpoint would trust the sync of the old tail and take in entries
    // of the new one that this disk may still lose.
    state_machine->LogSynced(last_kept);
  }
}

bool Replica::State::FramesFor(AppendRequest* request, std::vector<Frame>* frames) {
  LogIndex next = request->entries.front().index;
  const LogIndex last = request->entries.back().index;
  frames->reserve(request->entries.size());
  uint64_t bytes = 0;
  const auto take = [&](Frame frame) {
    bytes += frame.meta().bytes;
    if (frames->empty() || bytes <= kAppendMessageBytesMax) frames->push_back(std::move(frame));
  };
  while (next <= last && bytes <= kAppendMessageBytesMax) {
    if (!tail.empty() && next >= tail.front().header.index) {
      const size_t at = next.value() - tail.front().header.index.value();
      if (at >= tail.size()) return false;
      take(tail[at]);
      next = next.Next();
      continue;
    }
    const LogIndex until = tail.empty() ? last : std::min(last, tail.front().header.index.Prev());
    absl::StatusOr<std::vector<Frame>> read = log->ReadFrames(next, until, 4 << 20);
    if (!read.ok()) {
      TOTORA_LOG_LIMITED(kWarn, "raft") << Field("index", next)
                                        << "cannot read for a follower: " << read.status();
      return false;
    }
    next = read->back().header.index.Next();
    for (Frame& frame : *read) take(std::move(frame));
  }
  // To the core the rest got lost on the way.
  request->entries.resize(frames->size());
  // Entries may have been overwritten since the core made the message.
  for (size_t i = 0; i < frames->size(); ++i) {
    if ((*frames)[i].header.term != request->entries[i].term) return false;
  }
  return true;
}

void Replica::State::SendAll(std::vector<Envelope> envelopes) {
  const WireTimes times{WallMillis(executor->clock()), log_clock->NowMs(),
                        log_clock->PassedMs()};
  for (Envelope& envelope : envelopes) {
    std::vector<Frame> frames;
    Channel channel = Channel::kControl;
    if (auto* append = std::get_if<AppendRequest>(&envelope.message)) {
      channel = Channel::kAppend;
      if (!append->entries.empty() && !FramesFor(append, &frames)) continue;
    } else if (std::holds_alternative<AppendReply>(envelope.message)) {
      channel = Channel::kAppend;
    }
    transport->Send(envelope.to, channel, EncodeProtocol(envelope.message, frames, times));
  }
}

void Replica::State::Persisted(const PersistDone& done) {
  if (is_stopped) return;
  jobs_done = done.number;
  if (done.last.value() != 0 && core->TermAt(done.last) == done.term) {
    unwritten.DropThrough(done.last);
  }
  if (done.last.value() != 0) {
    // The core sees through a completion that was overtaken by an overwrite.
    core->LogDurable(done.last, done.term);
    synced = core->durable_index().value();
    state_machine->LogSynced(LogIndex(synced.load()));
  }
  while (!after_persist.empty() && after_persist.front().first <= jobs_done) {
    SendAll(std::move(after_persist.front().second));
    after_persist.pop_front();
  }
  Drain();
  TrimTail();
}

void Replica::State::ApplySome() {
  if (is_apply_posted || is_stopped) return;
  const LogIndex commit = core->commit_index();
  uint64_t bytes = 0;
  int entries = 0;
  while (applied < commit) {
    if (bytes >= kApplyBytesPerTurn || entries >= kApplyEntriesPerTurn) {
      is_apply_posted = true;
      executor->Post([self = shared_from_this()] {
        self->is_apply_posted = false;
        self->ApplySome();
        self->ResolveBarriers();
        self->Drain();
      });
      break;
    }
    const LogIndex next = applied.Next();
    Frame frame;
    if (!tail.empty() && next >= tail.front().header.index) {
      frame = tail[next.value() - tail.front().header.index.value()];
    } else {
      absl::StatusOr<std::vector<Frame>> read = log->ReadFrames(next, next, 1);
      if (!read.ok()) return Die(Annotate(read.status(), "applying a committed entry"));
      frame = std::move(read->front());
    }
    bytes += frame.meta().bytes;
    ++entries;
    applied = next;
    state_machine->Apply(frame);
    if (is_stopped) return;
  }
  TrimTail();
}

void Replica::State::TrimTail() {
  const uint64_t durable = synced.load();
  while (!tail.empty() && tail_bytes > kTailBytesKept && tail.front().header.index <= applied &&
         tail.front().header.index.value() <= durable) {
    tail_bytes -= tail.front().meta().bytes;
    tail.pop_front();
  }
}

}  // namespace totora::raft
