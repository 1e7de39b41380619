#include "properties/kill_journal.h"

#include "faultfs/assert.h"

#include <cstring>
#include <new>
#include <utility>

namespace powercut::properties {
namespace {

enum class Entry : unsigned char { kRecovered, kCommitCalled, kAcknowledged, kRolledBack, kViolated, kDone };

// More than a transaction of any workload, or a violation, takes.
constexpr std::size_t kRoom = std::size_t{1} << 20U;

void put_text(ByteWriter& out, std::string_view text) {
  out.put(static_cast<std::uint32_t>(text.size()));
  out.put_text(text);
}

std::string take_text(ByteReader& in) {
  const auto length = in.get<std::uint32_t>();
  return std::string(in.take_text(length));
}

void put_change(ByteWriter& out, const Change& change) {
  out.put(change.kind);
  out.put(change.table);
  out.put(change.after_exists);
  put_text(out, change.key);
  put_text(out, change.after);
}

void take_change(ByteReader& in, Model& model, std::size_t session) {
  const auto kind = in.get<Change::Kind>();
  const auto table = in.get<std::uint32_t>();
  const bool exists = in.get<bool>();
  const std::string key = take_text(in);
  const std::string row = take_text(in);
  if (kind == Change::Kind::kTable) {
    exists ? model.create_table(table, session) : model.drop_table(table, session);
  } else {
    exists ? model.put(table, key, row, session) : model.erase(table, key, session);
  }
}

}  // namespace

KillJournal::KillJournal(std::span<byte> memory) : shared_(new (memory.data()) Shared), entries_(memory.subspan(sizeof(Shared))) {}

void KillJournal::clear() {
  shared_->operations = 0;
  shared_->operations_of_recovery = 0;
  shared_->bytes = 0;
}

bool KillJournal::has_room() const { return entries_.size() - shared_->bytes >= kRoom * (Model::kMostSessions + 1); }

void KillJournal::append(std::string_view entry) {
  const std::uint64_t at = shared_->bytes.load(std::memory_order_relaxed);
  POWERCUT_ASSERT(entry.size() <= entries_.size() - at, "the journal has room");
  std::memcpy(entries_.data() + at, entry.data(), entry.size());
  shared_->bytes.store(at + entry.size(), std::memory_order_release);
}

void KillJournal::recovered(Present found) {
  shared_->operations_of_recovery = shared_->operations.load();
  std::string entry;
  ByteWriter out(entry);
  out.put(Entry::kRecovered);
  out.put(found);
  append(entry);
}

void KillJournal::commit_called(const Model& model, std::size_t session) {
  std::string entry;
  ByteWriter out(entry);
  out.put(Entry::kCommitCalled);
  out.put(static_cast<std::uint32_t>(session));
  out.put(model.transaction(session));
  out.put(static_cast<std::uint32_t>(model.changes(session).size()));
  for (const Change& change : model.changes(session)) put_change(out, change);
  append(entry);
}

void KillJournal::acknowledged(std::size_t session) {
  std::string entry;
  ByteWriter out(entry);
  out.put(Entry::kAcknowledged);
  out.put(static_cast<std::uint32_t>(session));
  append(entry);
}

void KillJournal::rolled_back(std::size_t session) {
  std::string entry;
  ByteWriter out(entry);
  out.put(Entry::kRolledBack);
  out.put(static_cast<std::uint32_t>(session));
  append(entry);
}

void KillJournal::violated(const Violation& violation) {
  std::string entry;
  ByteWriter out(entry);
  out.put(Entry::kViolated);
  out.put(violation.oracle);
  put_text(out, violation.summary);
  out.put(static_cast<std::uint32_t>(violation.differences.size()));
  for (const std::string& difference : violation.differences) put_text(out, difference);
  append(entry);
}

void KillJournal::done() {
  std::string entry;
  ByteWriter(entry).put(Entry::kDone);
  append(entry);
}

KillJournal::Told KillJournal::replay(Model& model) const {
  Told told;
  ByteReader in(entries_.first(shared_->bytes.load(std::memory_order_acquire)));
  while (in.remaining() > 0) {
    switch (in.get<Entry>()) {
      case Entry::kRecovered:
        told.found = in.get<Present>();
        model = model.recovered(*told.found, model.sessions());
        break;
      case Entry::kCommitCalled: {
        const auto session = in.get<std::uint32_t>();
        const auto transaction = in.get<std::uint64_t>();
        POWERCUT_ASSERT(transaction == model.transaction(session), "the model here is that of the child");
        for (auto changes = in.get<std::uint32_t>(); changes > 0; --changes) take_change(in, model, session);
        model.commit_called(session);
        break;
      }
      case Entry::kAcknowledged:
        model.acknowledged(in.get<std::uint32_t>());
        ++told.acknowledged;
        break;
      case Entry::kRolledBack:
        model.rolled_back(in.get<std::uint32_t>());
        break;
      case Entry::kViolated: {
        Violation violation;
        violation.oracle = in.get<Oracle>();
        violation.summary = take_text(in);
        for (auto count = in.get<std::uint32_t>(); count > 0; --count) violation.differences.push_back(take_text(in));
        told.violation = std::move(violation);
        break;
      }
      case Entry::kDone:
        told.done = true;
        break;
    }
  }
  POWERCUT_ASSERT(in.ok(), "entries are whole");
  return told;
}

}  // namespace powercut::properties
