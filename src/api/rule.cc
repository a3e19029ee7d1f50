// SPDX-License-Identifier: Apache-2.0
#include "api/rule.h"

#include "api/context.h"
#include "api/pipeline_access.h"

namespace freshet::api {

Verdict VerdictOf(const std::optional<catalog::Missing>& missing) {
  return missing ? Verdict(missing->ToString()) : std::nullopt;
}

Result<Verdict> CheckPrivilege(const Context& context, const catalog::Caller& caller,
                               std::string_view privilege, catalog::Kind kind,
                               const catalog::Path& path) {
  FRESHET_TRY(auto missing, context.access->Check(caller, privilege, kind, path));
  return VerdictOf(missing);
}

Rule Rule::Admins() {
  return Of([](const Context&, const Request& request) -> Result<Verdict> {
    if (request.user.admin) return Verdict();
    return Verdict("Only administrators, the members of the group admins, can do this.");
  });
}

Rule Rule::Having(std::string_view privilege, catalog::Kind kind) {
  return Of([privilege, kind](const Context& context, const Request& request) -> Result<Verdict> {
    FRESHET_TRY(auto path, catalog::ParseFullName(request.part("name"), PartsOf(kind)));
    return CheckPrivilege(context, request.user, privilege, kind, path);
  });
}

Rule Rule::Seeing(catalog::Kind kind) {
  return Of([kind](const Context& context, const Request& request) -> Result<Verdict> {
    FRESHET_TRY(auto path, catalog::ParseFullName(request.part("name"), PartsOf(kind)));
    FRESHET_TRY(auto missing, context.access->CheckVisible(request.user, kind, path));
    return VerdictOf(missing);
  });
}

Rule Rule::HavingOnMetastore(std::string_view privilege) {
  return Of([privilege](const Context& context, const Request& request) -> Result<Verdict> {
    FRESHET_TRY(auto missing, context.access->CheckMetastore(request.user, privilege));
    return VerdictOf(missing);
  });
}

Rule Rule::OnPipeline(std::string_view level) {
  return Of([level](const Context& context, const Request& request) -> Result<Verdict> {
    FRESHET_TRY(auto pipeline, context.book->Get(request.part("id")));
    return CheckPipeline(context, request.user, pipeline, level);
  });
}

Rule Rule::And(Check check) && {
  auto both = [first = std::move(check_), second = std::move(check)](
                  const Context& context, const Request& request) -> Result<Verdict> {
    if (first) {
      FRESHET_TRY(auto verdict, first(context, request));
      if (verdict) return verdict;
    }
    return second(context, request);
  };
  return Rule(open_, std::move(both));
}

Result<Verdict> Rule::Decide(const Context& context, const Request& request) const {
  if (!check_) return Verdict();
  return check_(context, request);
}

}  // namespace freshet::api
