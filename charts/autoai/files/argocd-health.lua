-- Health of a Dataset, TrainingJob or ModelDeployment for Argo CD, by its conditions (kstatus): Ready, Reconciling, Stalled.
-- Without it Argo CD calls every custom resource Healthy at first sight.
local function condition(name)
  if obj.status == nil or obj.status.conditions == nil then
    return nil
  end
  for _, one in ipairs(obj.status.conditions) do
    if one.type == name and one.status == "True" then
      return one
    end
  end
  return nil
end

local function health(status, message)
  local hs = {}
  hs.status = status
  hs.message = message
  return hs
end

local function told(one, otherwise)
  if one.message ~= nil and one.message ~= "" then
    return one.message
  end
  if one.reason ~= nil and one.reason ~= "" then
    return one.reason
  end
  return otherwise
end

if obj.metadata.deletionTimestamp ~= nil then
  return health("Progressing", "being deleted")
end

local ready = condition("Ready")
local stalled = condition("Stalled")

-- A job that ended stays what it is, suspended or not.
if obj.spec ~= nil and obj.spec.suspend == true and ready == nil and stalled == nil then
  return health("Suspended", "spec.suspend is true")
end

-- A status about an older spec says nothing about this one.
local observed = obj.status ~= nil and obj.status.observedGeneration or nil
if observed == nil or (obj.metadata.generation ~= nil and observed ~= obj.metadata.generation) then
  return health("Progressing", "waiting for the operator to see it")
end

if stalled ~= nil then
  return health("Degraded", told(stalled, "stalled"))
end
local reconciling = condition("Reconciling")
if reconciling ~= nil then
  return health("Progressing", told(reconciling, "in progress"))
end
if ready ~= nil then
  return health("Healthy", told(ready, "ready"))
end
return health("Progressing", "waiting for the operator")
