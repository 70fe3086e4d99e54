// Before each file of tests that share a process: no backend of tfjs that an earlier one chose.
import { findBackendFactory, setBackend } from "@tensorflow/tfjs-core";

if (findBackendFactory("cpu") !== null) {
  await setBackend("cpu");
}
