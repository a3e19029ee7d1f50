// SPDX-License-Identifier: Apache-2.0
#include "apply/fold.h"

#include <algorithm>
#include <bit>
#include <optional>

namespace freshet::apply {
namespace {

using record::ChangeView;
using record::Op;

/// Key → ordinal of the order of first appearance: open addressing, because one fold looks up every
/// change once and the hashes are random already.
class KeyTable {
 public:
  KeyTable() : slots_(1024, kFree) {}

  /// Return the key's ordinal; a new key gets the next.
  uint32_t At(const KeyHash& key) {
    if (keys_.size() * 2 >= slots_.size()) Grow();
    uint32_t& slot = Slot(key);
    if (slot == kFree) {
      slot = static_cast<uint32_t>(keys_.size());
      keys_.push_back(key);
    }
    return slot;
  }
  const std::vector<KeyHash>& keys() const { return keys_; }
  void Clear() { *this = KeyTable(); }

 private:
  static constexpr uint32_t kFree = 0xFFFFFFFF;

  uint32_t& Slot(const KeyHash& key) {
    size_t mask = slots_.size() - 1;
    size_t i = key.low & mask;
    while (slots_[i] != kFree && keys_[slots_[i]] != key) i = (i + 1) & mask;
    return slots_[i];
  }
  void Grow() {
    slots_.assign(slots_.size() * 2, kFree);
    for (size_t i = 0; i < keys_.size(); ++i) Slot(keys_[i]) = static_cast<uint32_t>(i);
  }

  std::vector<uint32_t> slots_;
  std::vector<KeyHash> keys_;
};

/// What the fold knows of one key.
struct State {
  enum class Kind : uint8_t { kUnknown, kLive, kGone } kind = Kind::kUnknown;
  RowRef from;
  int32_t patch = -1;
};

class KeyedFold {
 public:
  KeyedFold(const RowForm& form, Folded* folded) : form_(form), folded_(*folded) {
    folded_.wanted_columns.assign(form.width(), false);
  }

  Status Add(uint32_t ordinal, const FoldBatch& batch) {
    ChangeView view(batch.changes);
    for (int64_t row = 0; row < view.size(); ++row) {
      RowRef ref{ordinal, static_cast<uint32_t>(row)};
      uint32_t key = table_.At(batch.keys[static_cast<size_t>(row)]);
      if (key >= states_.size()) states_.resize(key + 1);
      Op op = view.op(row);
      if (op == Op::kDelete) {
        former_ = Former{key, states_[key]};
        states_[key] = State{State::Kind::kGone, ref, -1};
        continue;
      }
      if (view.has_missing(row)) {
        FRESHET_CHECK_OK(Patch(batch, view, row, ref, key));
      } else {
        states_[key] = State{State::Kind::kLive, ref, -1};
      }
      former_.reset();
    }
    return Status::Ok();
  }

  void Truncate() {
    folded_ = Folded{};
    folded_.truncated = true;
    folded_.wanted_columns.assign(form_.width(), false);
    table_.Clear();
    wanted_.Clear();
    states_.clear();
    former_.reset();
  }

  void Finish() {
    for (size_t i = 0; i < states_.size(); ++i) {
      const State& state = states_[i];
      const KeyHash& key = table_.keys()[i];
      bool live = state.kind == State::Kind::kLive;
      if (!folded_.truncated) folded_.erases.push_back({key, 1, live});
      if (live) folded_.puts.push_back({key, state.from, state.patch, WantedOf(state), 1});
    }
    folded_.wanted = wanted_.keys();
  }

 private:
  struct Former {
    uint32_t key;
    State state;
  };

  /// The row's missing columns come from the state before it.
  Status Patch(const FoldBatch& batch, const ChangeView& view, int64_t row, RowRef ref,
               uint32_t key) {
    Former before{key, states_[key]};
    if (view.op(row) == Op::kInsert) {
      if (!former_) return Error(ErrorClass::VALUE_NOT_SENT, "an insert lacks values");
      before = *former_;
    }
    if (before.state.kind == State::Kind::kGone ||
        (before.state.kind == State::Kind::kUnknown && folded_.truncated)) {
      return Error(ErrorClass::VALUE_NOT_SENT, "a change lacks values of a row that is gone");
    }
    // A patch that no state uses any more is used again; the one before it may be another key's.
    int32_t slot = states_[key].patch;
    if (slot < 0) {
      slot = static_cast<int32_t>(folded_.patches.size() / form_.width());
      folded_.patches.resize(folded_.patches.size() + form_.width());
    }
    for (size_t column = 0; column < form_.width(); ++column) {
      int ordinal = batch.ordinals[column];
      bool missing = ordinal >= 0 && view.missing(row, ordinal);
      folded_.patches[static_cast<size_t>(slot) * form_.width() + column] =
          missing ? Source(before, column) : ref;
    }
    states_[key] = State{State::Kind::kLive, ref, slot};
    return Status::Ok();
  }

  RowRef Source(const Former& before, size_t column) {
    const State& state = before.state;
    if (state.kind == State::Kind::kUnknown) {
      folded_.wanted_columns[column] = true;
      return {RowRef::kInTable, wanted_.At(table_.keys()[before.key])};
    }
    if (state.patch < 0) return state.from;
    return folded_.patches[static_cast<size_t>(state.patch) * form_.width() + column];
  }

  /// The one key whose row in the table a state's columns come from: each patch goes back, state by
  /// state, to one state that the fold did not see.
  int32_t WantedOf(const State& state) const {
    if (state.patch < 0) return -1;
    const RowRef* refs = &folded_.patches[static_cast<size_t>(state.patch) * form_.width()];
    for (size_t column = 0; column < form_.width(); ++column) {
      if (refs[column].batch == RowRef::kInTable) return static_cast<int32_t>(refs[column].row);
    }
    return -1;
  }

  const RowForm& form_;
  Folded& folded_;
  KeyTable table_, wanted_;
  std::vector<State> states_;     // by the key's ordinal
  std::optional<Former> former_;  // what the delete just before this row ended
};

class KeylessFold {
 public:
  explicit KeylessFold(Folded* folded) : folded_(*folded) {}

  void Add(uint32_t ordinal, const FoldBatch& batch) {
    ChangeView view(batch.changes);
    for (int64_t row = 0; row < view.size(); ++row) {
      uint32_t content = table_.At(batch.keys[static_cast<size_t>(row)]);
      if (content >= counts_.size()) {
        counts_.resize(content + 1);
        refs_.resize(content + 1);
      }
      counts_[content] += view.op(row) == Op::kDelete ? -1 : 1;
      refs_[content] = {ordinal, static_cast<uint32_t>(row)};
    }
  }

  void Truncate() {
    folded_ = Folded{};
    folded_.truncated = true;
    table_.Clear();
    counts_.clear();
    refs_.clear();
  }

  void Finish() {
    for (size_t i = 0; i < counts_.size(); ++i) {
      const KeyHash& key = table_.keys()[i];
      if (counts_[i] > 0) folded_.puts.push_back({key, refs_[i], -1, -1, counts_[i]});
      if (counts_[i] < 0 && !folded_.truncated) folded_.erases.push_back({key, -counts_[i], false});
    }
  }

 private:
  Folded& folded_;
  KeyTable table_;
  std::vector<int64_t> counts_;  // by the content's ordinal: inserts less deletes
  std::vector<RowRef> refs_;     // any row of that content
};

}  // namespace

Result<Folded> Fold(const RowForm& form, std::span<const FoldItem> items) {
  Folded folded;
  KeyedFold keyed(form, &folded);
  KeylessFold keyless(&folded);
  uint32_t ordinal = 0;
  for (const auto& item : items) {
    if (std::holds_alternative<FoldBarrier>(item)) {
      form.keyless() ? keyless.Truncate() : keyed.Truncate();
    } else if (form.keyless()) {
      keyless.Add(ordinal++, std::get<FoldBatch>(item));
    } else {
      FRESHET_CHECK_OK(keyed.Add(ordinal++, std::get<FoldBatch>(item)));
    }
  }
  form.keyless() ? keyless.Finish() : keyed.Finish();
  folded.wanted_columns.resize(form.width(), false);
  std::sort(folded.erases.begin(), folded.erases.end(),
            [](const auto& a, const auto& b) { return a.key < b.key; });
  std::sort(folded.puts.begin(), folded.puts.end(),
            [](const auto& a, const auto& b) { return a.from < b.from; });
  return folded;
}

}  // namespace freshet::apply
