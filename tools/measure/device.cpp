#include "tools/measure/device.h"

namespace powercut::measure {

Result<std::vector<DeviceRate>> measure_device(const DeviceLoad& /*load*/) {
  return Error(ErrorCode::kUnsupported, "built without a measuring of the device");
}

}  // namespace powercut::measure
