// Once before vitest's project `webgpu`: whether there is an adapter.
import type { TestProject } from "vitest/node";
import { findAdapter } from "./webgpu-adapter.ts";

declare module "vitest" {
  export interface ProvidedContext {
    webgpu: { readonly found: boolean; readonly driver?: string };
  }
}

export default function setup(project: TestProject): void {
  project.provide("webgpu", findAdapter());
}
