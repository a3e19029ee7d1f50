// SPDX-License-Identifier: Apache-2.0
#include "delta/action_json.h"

#include <cctype>

namespace freshet::delta {
namespace {

using StringMap = std::map<std::string, std::string>;
using PartitionMap = std::map<std::string, std::optional<std::string>>;

// --- writing

template <typename T>
void Put(Json* out, const char* name, const std::optional<T>& value) {
  if (value) (*out)[name] = *value;
}

Json MapJson(const StringMap& map) {
  Json out = Json::object();
  for (const auto& [name, value] : map) out[name] = value;
  return out;
}

Json MapJson(const PartitionMap& map) {
  Json out = Json::object();
  for (const auto& [name, value] : map) out[name] = value ? Json(*value) : Json(nullptr);
  return out;
}

Json VectorJson(const DeletionVectorDescriptor& vector) {
  Json out;
  out["storageType"] = std::string(1, vector.storage);
  out["pathOrInlineDv"] = vector.path_or_inline;
  Put(&out, "offset", vector.offset);
  out["sizeInBytes"] = vector.bytes;
  out["cardinality"] = vector.cardinality;
  return out;
}

Json ObjectJson(const std::string& text) {
  Json parsed = ParseJson<Json>(text);
  return parsed.is_object() ? parsed : Json::object();
}

struct Writer {
  Json operator()(const CommitInfo& info) const {
    Json body;
    Put(&body, "inCommitTimestamp", info.in_commit_at_ms);
    body["timestamp"] = info.at_ms;
    body["operation"] = info.operation;
    body["operationParameters"] = ObjectJson(info.parameters_json);
    body["operationMetrics"] = ObjectJson(info.metrics_json);
    if (!info.engine.empty()) body["engineInfo"] = info.engine;
    if (!info.txn_id.empty()) body["txnId"] = info.txn_id;
    if (!info.tags.empty()) body["tags"] = MapJson(info.tags);
    return {{"commitInfo", std::move(body)}};
  }
  Json operator()(const Protocol& protocol) const {
    Json body;
    body["minReaderVersion"] = protocol.min_reader;
    body["minWriterVersion"] = protocol.min_writer;
    if (protocol.min_reader >= 3) body["readerFeatures"] = protocol.reader_features;
    if (protocol.min_writer >= 7) body["writerFeatures"] = protocol.writer_features;
    return {{"protocol", std::move(body)}};
  }
  Json operator()(const Metadata& metadata) const {
    Json body;
    body["id"] = metadata.id;
    if (!metadata.name.empty()) body["name"] = metadata.name;
    if (!metadata.description.empty()) body["description"] = metadata.description;
    body["format"] = {{"provider", "parquet"}, {"options", Json::object()}};
    body["schemaString"] = metadata.schema_json;
    body["partitionColumns"] = metadata.partition_columns;
    body["configuration"] = MapJson(metadata.configuration);
    Put(&body, "createdTime", metadata.created_at_ms);
    return {{"metaData", std::move(body)}};
  }
  Json operator()(const AddFile& add) const {
    Json body;
    body["path"] = EncodePath(add.path);
    body["partitionValues"] = MapJson(add.partition_values);
    body["size"] = add.bytes;
    body["modificationTime"] = add.modified_at_ms;
    body["dataChange"] = add.data_change;
    if (!add.stats_json.empty()) body["stats"] = add.stats_json;
    if (!add.tags.empty()) body["tags"] = MapJson(add.tags);
    if (add.deletion_vector) body["deletionVector"] = VectorJson(*add.deletion_vector);
    Put(&body, "baseRowId", add.base_row_id);
    Put(&body, "defaultRowCommitVersion", add.default_row_commit_version);
    return {{"add", std::move(body)}};
  }
  Json operator()(const RemoveFile& remove) const {
    Json body;
    body["path"] = EncodePath(remove.path);
    Put(&body, "deletionTimestamp", remove.deleted_at_ms);
    body["dataChange"] = remove.data_change;
    // Only with its size known may the three extended fields be promised.
    body["extendedFileMetadata"] = remove.bytes.has_value();
    if (remove.bytes) body["partitionValues"] = MapJson(remove.partition_values);
    Put(&body, "size", remove.bytes);
    if (remove.deletion_vector) body["deletionVector"] = VectorJson(*remove.deletion_vector);
    Put(&body, "baseRowId", remove.base_row_id);
    Put(&body, "defaultRowCommitVersion", remove.default_row_commit_version);
    return {{"remove", std::move(body)}};
  }
  Json operator()(const ChangeFile& change) const {
    return {{"cdc",
             {{"path", EncodePath(change.path)},
              {"partitionValues", Json::object()},
              {"size", change.bytes},
              {"dataChange", false}}}};
  }
  Json operator()(const Txn& txn) const {
    Json body;
    body["appId"] = txn.app_id;
    body["version"] = txn.version;
    Put(&body, "lastUpdated", txn.updated_at_ms);
    return {{"txn", std::move(body)}};
  }
  Json operator()(const DomainMetadata& domain) const {
    return {{"domainMetadata",
             {{"domain", domain.domain},
              {"configuration", domain.configuration},
              {"removed", domain.removed}}}};
  }
};

// --- reading: null and absent are the same, a value of another kind marks the line as corrupt

class Object {
 public:
  Object(const Json& object, bool* bad) : object_(object), bad_(bad) {
    if (!object.is_object()) *bad_ = true;
  }

  const Json* Find(const char* name) const {
    if (!object_.is_object()) return nullptr;
    auto found = object_.find(name);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }
  std::optional<std::string> Text(const char* name) const {
    const Json* value = Find(name);
    if (value == nullptr) return std::nullopt;
    if (value->is_string()) return value->get<std::string>();
    *bad_ = true;
    return std::nullopt;
  }
  std::optional<int64_t> Number(const char* name) const {
    const Json* value = Find(name);
    if (value == nullptr) return std::nullopt;
    if (value->is_number_integer()) return value->get<int64_t>();
    *bad_ = true;
    return std::nullopt;
  }
  bool Flag(const char* name, bool otherwise) const {
    const Json* value = Find(name);
    if (value == nullptr) return otherwise;
    if (value->is_boolean()) return value->get<bool>();
    *bad_ = true;
    return otherwise;
  }
  std::vector<std::string> Texts(const char* name) const {
    std::vector<std::string> out;
    const Json* value = Find(name);
    if (value == nullptr) return out;
    for (const auto& item : *value) {
      if (item.is_string()) {
        out.push_back(item.get<std::string>());
      } else {
        *bad_ = true;
      }
    }
    return out;
  }
  PartitionMap Map(const char* name) const {
    PartitionMap out;
    const Json* value = Find(name);
    if (value == nullptr) return out;
    if (!value->is_object()) {
      *bad_ = true;
      return out;
    }
    for (const auto& [key, item] : value->items()) {
      if (!item.is_string() && !item.is_null()) *bad_ = true;
      out[key] = item.is_string() ? std::optional(item.get<std::string>()) : std::nullopt;
    }
    return out;
  }
  StringMap Strings(const char* name) const {
    StringMap out;
    for (auto& [key, value] : Map(name)) {
      if (value) out[key] = *value;
    }
    return out;
  }
  std::string Need(const char* name) const {
    auto text = Text(name);
    if (!text) *bad_ = true;
    return text.value_or("");
  }
  int64_t NeedNumber(const char* name) const {
    auto number = Number(name);
    if (!number) *bad_ = true;
    return number.value_or(0);
  }

 private:
  const Json& object_;
  bool* bad_;
};

std::optional<DeletionVectorDescriptor> VectorOf(const Object& parent, bool* bad) {
  const Json* json = parent.Find("deletionVector");
  if (json == nullptr) return std::nullopt;
  const Object object(*json, bad);
  DeletionVectorDescriptor out;
  const std::string storage = object.Need("storageType");
  out.storage = storage.size() == 1 ? storage[0] : '?';
  out.path_or_inline = object.Need("pathOrInlineDv");
  if (auto offset = object.Number("offset")) out.offset = static_cast<int32_t>(*offset);
  out.bytes = static_cast<int32_t>(object.NeedNumber("sizeInBytes"));
  out.cardinality = object.NeedNumber("cardinality");
  return out;
}

CommitInfo CommitInfoOf(const Object& object) {
  // Foreign writers put anything here, so nothing is required.
  CommitInfo out;
  auto dump = [&](const char* name) {
    const Json* value = object.Find(name);
    return value != nullptr && value->is_object() ? value->dump() : std::string("{}");
  };
  auto text = [&](const char* name) {
    const Json* value = object.Find(name);
    return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
  };
  auto number = [&](const char* name) {
    const Json* value = object.Find(name);
    return value != nullptr && value->is_number_integer() ? std::optional(value->get<int64_t>())
                                                          : std::nullopt;
  };
  out.at_ms = number("timestamp").value_or(0);
  out.in_commit_at_ms = number("inCommitTimestamp");
  out.operation = text("operation");
  out.parameters_json = dump("operationParameters");
  out.metrics_json = dump("operationMetrics");
  out.txn_id = text("txnId");
  out.engine = text("engineInfo");
  if (const Json* tags = object.Find("tags"); tags != nullptr && tags->is_object()) {
    for (const auto& [name, value] : tags->items()) {
      if (value.is_string()) out.tags[name] = value.get<std::string>();
    }
  }
  return out;
}

Protocol ProtocolOf(const Object& object) {
  Protocol out;
  out.min_reader = static_cast<int>(object.NeedNumber("minReaderVersion"));
  out.min_writer = static_cast<int>(object.NeedNumber("minWriterVersion"));
  for (auto& feature : object.Texts("readerFeatures")) out.reader_features.insert(feature);
  for (auto& feature : object.Texts("writerFeatures")) out.writer_features.insert(feature);
  return out;
}

Metadata MetadataOf(const Object& object) {
  Metadata out;
  out.id = object.Need("id");
  out.name = object.Text("name").value_or("");
  out.description = object.Text("description").value_or("");
  out.schema_json = object.Need("schemaString");
  out.partition_columns = object.Texts("partitionColumns");
  out.configuration = object.Strings("configuration");
  out.created_at_ms = object.Number("createdTime");
  return out;
}

AddFile AddOf(const Object& object, bool* bad) {
  AddFile out;
  out.path = DecodePath(object.Need("path"));
  out.partition_values = object.Map("partitionValues");
  out.bytes = object.NeedNumber("size");
  out.modified_at_ms = object.Number("modificationTime").value_or(0);
  out.data_change = object.Flag("dataChange", true);
  out.stats_json = object.Text("stats").value_or("");
  out.tags = object.Strings("tags");
  out.deletion_vector = VectorOf(object, bad);
  out.base_row_id = object.Number("baseRowId");
  out.default_row_commit_version = object.Number("defaultRowCommitVersion");
  return out;
}

RemoveFile RemoveOf(const Object& object, bool* bad) {
  RemoveFile out;
  out.path = DecodePath(object.Need("path"));
  out.deleted_at_ms = object.Number("deletionTimestamp");
  out.data_change = object.Flag("dataChange", true);
  out.partition_values = object.Map("partitionValues");
  out.bytes = object.Number("size");
  out.deletion_vector = VectorOf(object, bad);
  out.base_row_id = object.Number("baseRowId");
  out.default_row_commit_version = object.Number("defaultRowCommitVersion");
  return out;
}

bool IsAbsolute(std::string_view path) {
  const size_t colon = path.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 >= path.size() ||
      path[colon + 1] != '/')
    return false;
  for (char c : path.substr(0, colon)) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '+' && c != '-' && c != '.')
      return false;
  }
  return true;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string EncodePath(std::string_view path) {
  if (IsAbsolute(path)) return std::string(path);
  std::string out;
  for (char c : path) {
    // RFC 3986 unreserved characters, and the two that structure a data file's path
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 ||
        std::string_view("-_.~/=").find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string DecodePath(std::string_view path) {
  if (IsAbsolute(path)) return std::string(path);
  std::string out;
  for (size_t i = 0; i < path.size(); ++i) {
    const int high = path[i] == '%' && i + 2 < path.size() ? HexDigit(path[i + 1]) : -1;
    const int low = high >= 0 ? HexDigit(path[i + 2]) : -1;
    if (low < 0) {
      out += path[i];
    } else {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return out;
}

std::string UniqueId(const std::optional<DeletionVectorDescriptor>& vector) {
  if (!vector) return {};
  std::string id = vector->storage + vector->path_or_inline;
  if (vector->offset) id += fmt::format("@{}", *vector->offset);
  return id;
}

Json JsonOf(const Action& action) { return std::visit(Writer{}, action); }

Result<std::optional<Action>> ActionOf(const Json& line) {
  if (!line.is_object()) return Error(ErrorClass::DELTA_CORRUPT, "an action is not a JSON object");
  bool bad = false;
  std::optional<Action> action;
  for (const auto& [kind, body] : line.items()) {
    if (body.is_null()) continue;
    const Object object(body, &bad);
    if (kind == "add") action = AddOf(object, &bad);
    if (kind == "remove") action = RemoveOf(object, &bad);
    if (kind == "cdc")
      action = ChangeFile{DecodePath(object.Need("path")), object.Number("size").value_or(0)};
    if (kind == "metaData") action = MetadataOf(object);
    if (kind == "protocol") action = ProtocolOf(object);
    if (kind == "commitInfo") action = CommitInfoOf(object);
    if (kind == "txn") {
      action =
          Txn{object.Need("appId"), object.NeedNumber("version"), object.Number("lastUpdated")};
    }
    if (kind == "domainMetadata") {
      action = DomainMetadata{object.Need("domain"), object.Need("configuration"),
                              object.Flag("removed", false)};
    }
    if (bad)
      return Error(ErrorClass::DELTA_CORRUPT,
                   "an action of kind {} misses a field or has one of another type", kind);
  }
  return action;
}

std::string ToJson(const Action& action) { return JsonText(JsonOf(action)); }

Result<std::optional<Action>> ActionFromJson(std::string_view line) {
  Json parsed = ParseJson<Json>(line);
  if (parsed.is_discarded())
    return Error(ErrorClass::DELTA_CORRUPT, "a line of the log is not JSON");
  return ActionOf(parsed);
}

}  // namespace freshet::delta
