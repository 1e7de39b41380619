// Who keeps a request from being granted: the one place that says so, for grants, messages and the search for cycles.
#pragma once

#include "engine/ledger/lock_manager.h"

namespace powercut::ledger {

template <class Visit>
bool LockManager::visit_holders(const LockRequest& request, Visit&& visit) {
  const LockOwner* const own = request.owner;
  if (request.is_range()) {
    for (const Grant& held : request.tree->exclusive) {
      if (held.owner != own && request.range.contains(held.thing->key) && !visit(*held.owner, &held, nullptr)) return false;
    }
    return true;
  }
  const LockModes own_modes = request.held == nullptr ? LockModes() : request.held->modes;
  if (request.thing->conflicts(request.modes, own_modes)) {
    for (const Grant& held : request.thing->holders) {
      if (held.owner != own && held.modes.conflicts_with(request.modes) && !visit(*held.owner, &held, nullptr)) return false;
    }
  }
  if (request.is_exclusive_row()) {
    for (const RangeGrant& held : request.tree->ranges) {
      if (held.owner != own && held.range().contains(request.thing->key) && !visit(*held.owner, nullptr, &held)) return false;
    }
  }
  return true;
}

template <class Visit>
bool LockManager::visit_line(const LockRequest& request, Visit&& visit) {
  if (request.out_of_line) return true;
  if (request.is_range()) {
    for (const LockRequest& other : request.tree->waiting_exclusive) {
      if (other.place < request.place && request.range.contains(other.thing->key) && !visit(other)) return false;
    }
    return true;
  }
  const auto& line = request.thing->waiting;
  auto at = request.state == LockRequest::State::kWaiting ? line.iterator_to(request) : line.end();
  while (at != line.begin()) {
    const LockRequest& other = *--at;
    if (other.place > request.place || !other.modes.conflicts_with(request.modes)) continue;
    if (!visit(other)) return false;
    // It waits itself for all that are before it.
    if (other.modes.is_exclusive() && !other.out_of_line) break;
  }
  if (request.is_exclusive_row()) {
    for (const LockRequest& other : request.tree->waiting_ranges) {
      if (other.place < request.place && other.range.contains(request.thing->key) && !visit(other)) return false;
    }
  }
  return true;
}

}  // namespace powercut::ledger
