// The isolation oracle: does a history (history.h) show only what the levels of its transactions allow, and if not, what is
// the phenomenon called?
//
// It builds the direct serialization graph of A. Adya (Weak Consistency: A Generalized Theory and Optimistic Implementations
// for Distributed Transactions, MIT, 1999; with B. Liskov and P. O'Neil: Generalized Isolation Level Definitions, ICDE 2000).
// Nodes are the committed transactions. The versions of a row are ordered as they were written, of each transaction the last
// write: it is the order that every engine here gives them, since none lets a second writer at a row before the first has
// ended, or records what it buffers before commit (history.h). A delete is a version like others. Edges, from what had to
// come first:
//   ww             the row's next version
//   wr             a read of that version
//   rw             a row was read, and this is the writer of its next version
//   predicate rw   no row was found, by key or in a range, and this is the writer that put one there
// Deletes next to each other, and before the first version, are one and the same absence to a read. That a range lost or
// changed a row that it returned is an rw edge: the row itself was read.
//
// What runs still, or whose end nobody knows, is no node, and to read what it wrote is no anomaly.
#pragma once

#include "properties/history.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace powercut::properties {

// The most basic first. With the least level that forbids it:
enum class AnomalyKind : unsigned char {
  kMissingRow,        // read uncommitted: a row of the initial state was not there, and nobody had deleted it
  kOwnWrite,          // read uncommitted: a transaction did not see its own last write
  kDirtyWrite,        // read uncommitted: G0, a cycle of ww
  kAbortedRead,       // read committed: G1a, of what was rolled back
  kIntermediateRead,  // read committed: G1b, of what its writer then overwrote
  kCircularFlow,      // read committed: G1c, a cycle of ww and wr
  kLostUpdate,        // repeatable read: an rw edge, and ww edges back, all of one row
  kReadSkew,          // repeatable read: G-single, a cycle with one rw edge
  kWriteSkew,         // repeatable read: G2-item, a cycle with several rw edges
  kPhantom,           // serializable: G2, a cycle with a predicate rw edge
};

enum class DependencyKind : unsigned char { kWriteWrite, kWriteRead, kReadWrite, kPredicateReadWrite };

struct Dependency {
  DependencyKind kind = DependencyKind::kWriteWrite;
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  std::string from_name;
  std::string to_name;
  std::string object;  // "accounts[1]"
};

struct Anomaly {
  AnomalyKind kind = AnomalyKind::kDirtyWrite;
  // Each begins where the one before ends, and the first where the last does. Of a read anomaly only the wr edge.
  std::vector<Dependency> cycle;

  // "lost update: A read accounts[1] before B wrote it, and B wrote accounts[1] before A did:
  //  A -rw(accounts[1])-> B -ww(accounts[1])-> A", in one line
  std::string text() const;
};

// "lost update"; with Adya's name where there is one: "dirty write (G0)".
std::string_view name(AnomalyKind kind);
engine::Isolation least_level_that_forbids(AnomalyKind kind);

// At most so many are reported, the most basic ones.
inline constexpr std::size_t kMostAnomalies = 8;

// Everything there is, whatever the levels: nothing if and only if the committed transactions are serializable. Of each
// strongly connected component the shortest cycle of the most basic kind.
std::vector<Anomaly> anomalies(const History& history);

// What the levels forbid, by Adya's mixed serialization graph: ww edges count always; wr edges, aborted and intermediate
// reads if the reader is at read committed or above; rw edges from repeatable read on; predicate rw edges of serializable
// readers. A transaction thus gets what its level promises, whatever those of others are.
std::vector<Anomaly> violations(const History& history);

}  // namespace powercut::properties
