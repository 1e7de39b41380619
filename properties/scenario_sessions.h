// The sessions of a scenario while the power is on, a fiber each, and whose turn it is.
//
// The director is the fiber that was spawned first; it hands out work and says when the others may go on. A session that can
// go on runs until its work is done or it waits, in the order in which they could. Time passes only when the director says so.
#pragma once

#include "engine/engine.h"
#include "faultfs/choices.h"
#include "faultfs/scheduler.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::properties {

// Picks as the director wants it; for Scheduler::run.
class Turns final : public faultfs::Choices {
 public:
  static constexpr std::string_view kDirectorsTurn = "the others' turn";

  // Whether there was anybody to pick since the last time this was asked.
  bool take_asked() { return std::exchange(asked_, false); }

 private:
  std::uint32_t choose(std::uint32_t n, const faultfs::ChoiceLabel& label) override;

  bool asked_ = false;
};

class SessionFibers {
 public:
  using Work = std::function<void(engine::Session&)>;
  // Of one that waits, told once.
  using WaitSink = std::function<void(const std::string& name, const std::string& for_what)>;

  // All from the director's fiber. What is given here must outlive the run.
  SessionFibers(faultfs::Scheduler& scheduler, Turns& turns, engine::Database& database, WaitSink sink)
      : scheduler_(scheduler), turns_(turns), database_(database), sink_(std::move(sink)) {}

  // A session; its errors are those of Database::new_session.
  Result<std::size_t> add(std::string name);

  bool is_busy(std::size_t at) const { return seats_[at]->work != nullptr; }
  // What one that is busy waits for.
  std::string waits_for(std::size_t at) const { return scheduler_.waits_for(seats_[at]->fiber); }
  // What it waited for was told; asking forgets it.
  bool take_told(std::size_t at) { return std::exchange(seats_[at]->told, false); }

  // To one that is not busy. `work` ends early once the scheduler is stopped.
  void give(std::size_t at, Work work);
  // Lets everybody go on who can.
  void settle();
  // The same, and lets time pass as long as this one is busy. False if it waits for ever.
  bool finish(std::size_t at);
  void finish_all();
  // Ends the sessions that are not busy, until none is left that can be.
  void leave();

 private:
  struct Seat {
    std::string name;
    faultfs::FiberId fiber = 0;
    std::unique_ptr<engine::Session> session;
    Work work;
    bool told = false;
    bool leaving = false;
  };

  void sit(Seat& seat);
  bool anybody_can_go_on() const;
  bool pass_time();

  faultfs::Scheduler& scheduler_;
  Turns& turns_;
  engine::Database& database_;
  WaitSink sink_;
  std::vector<std::unique_ptr<Seat>> seats_;
};

}  // namespace powercut::properties
