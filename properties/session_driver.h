// Runs a step on a session and on the model side by side. Every answer of the engine is compared with the model's: a
// wrong answer while the power is on is a violation too.
#pragma once

#include "engine/engine.h"
#include "properties/model.h"
#include "properties/step.h"
#include "properties/violation.h"
#include "properties/workload.h"

#include <functional>
#include <optional>
#include <string>

namespace powercut::properties {

// Whether an engine may answer so because its disk failed.
bool is_disk_failure(ErrorCode code);

class SessionDriver {
 public:
  // Called around each event that changes what the user was promised, with a word on which ("before commit").
  using PromiseHook = std::function<void(std::string_view)>;

  SessionDriver(const Workload& workload, Model& model, PromiseHook hook)
      : workload_(workload), model_(model), hook_(std::move(hook)) {}

  // A disk that may fail: whether it may now, and what gives a full one space.
  struct Failures {
    std::function<bool()> expected;
    std::function<void()> free_space;
  };
  void expect_failures(Failures failures) { failures_ = std::move(failures); }

  // A set-up or transaction step. Where the disk fails the transaction is rolled back.
  std::optional<Violation> run(engine::Database& database, engine::Session& session, const Step& step);

  // The last transaction failed and could not be rolled back: the engine must be opened again.
  bool stopped() const { return stopped_; }

  // Whether the transaction in doubt, if there is one, is there.
  Result<bool> in_doubt_is_there(engine::Session& session);

 private:
  struct Savepoint {
    std::uint32_t number = 0;
    std::size_t mark = 0;
  };
  // What the engine should answer to a statement; nothing: success.
  using Expected = std::optional<ErrorCode>;

  void transaction(engine::Database& database, engine::Session& session, const Step& step);
  void take_back(engine::Session& session);
  bool over() const { return violation_ || failed_; }
  void set_up(engine::Session& session, const Step& step);
  void operate(engine::Database& database, engine::Session& session, const Operation& operation);
  void transfer(engine::Session& session, const Operation& operation);
  void write(engine::Session& session, const Operation& operation);
  void get(engine::Session& session, const Operation& operation);
  void scan(engine::Session& session, const Operation& operation);
  void savepoint(engine::Session& session, const Operation& operation);
  void write_marker(engine::Session& session);

  Expected constraint(std::uint32_t table, std::string_view key, std::string_view row) const;
  // Compares and notes a violation; true if both succeeded.
  bool agree(const Result<void>& answer, Expected expected, std::string_view what);
  void fail(Oracle oracle, std::string summary);
  std::string about(const Operation& operation) const;

  const Workload& workload_;
  Model& model_;
  PromiseHook hook_;
  Failures failures_;
  bool failed_ = false;  // the disk failed a statement
  bool stopped_ = false;
  std::vector<Savepoint> savepoints_;
  std::optional<Violation> violation_;
  std::string key_;
  std::string other_key_;
  std::string row_;
  std::string found_;
};

}  // namespace powercut::properties
