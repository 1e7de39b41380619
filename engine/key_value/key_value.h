// An engine under test made of an ordered map of bytes that is written in batches: what most embedded stores are.
//
// Who wants to test such a store writes a KeyValueStore over it, a few lines a function. What powercut asks besides is made of
// that here: tables are ranges of keys, rows are checked against their schema, and a transaction keeps its writes to itself,
// with savepoints, until its commit writes them as one batch. Sessions do not run side by side.
#pragma once

#include "engine/engine.h"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace powercut::engine {

// What becomes of a key: its new value, or nothing to remove it (also if it is not there).
struct KeyWrite {
  std::string_view key;
  std::optional<std::string_view> value;
};

// An open store. Destroying it without close() is what a crash of the process would be: it must write nothing any more.
class KeyValueStore {
 public:
  virtual ~KeyValueStore() = default;

  // Puts the value into `value` and returns true, or false if there is none.
  virtual Result<bool> get(std::string_view key, std::string& value) = 0;
  // Keys with from <= key < to, in bytewise order; an empty `to` means to the end. The views live until the visitor returns.
  virtual Result<void> scan(std::string_view from, std::string_view to, const RowVisitor& visit) = 0;
  // All of them or none, whenever the power fails; when it returns success they are as durable as the guarantee says. The keys
  // are in order, each once, and there is at least one.
  virtual Result<void> write(std::span<const KeyWrite> batch) = 0;
  // Whatever makes the log shorter: a flush, a compaction, a merge. A store without any has nothing to do.
  virtual Result<void> checkpoint() { return success(); }
  // A clean shutdown.
  virtual Result<void> close() = 0;
};

// Opens a store in a directory, which is there, recovering it if need be. kCorrupt if it can tell that stored bytes are not
// what was written.
using StoreOpener = std::function<Result<std::unique_ptr<KeyValueStore>>(faultfs::FileSystem& files, std::string_view directory)>;

// The engine over such stores. It makes the directory, and its name durable, if it is not there.
std::unique_ptr<Engine> key_value_engine(StoreOpener open, std::function<Guarantee(const faultfs::PersistenceModel&)> guarantee);

// A kind of engine without options; unless told otherwise it promises everything, on every disk.
std::unique_ptr<EngineKind> key_value_kind(std::string name, std::string summary, StoreOpener open, Guarantee guarantee = {});

}  // namespace powercut::engine
