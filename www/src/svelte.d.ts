/// <reference types="svelte" />
import type * as api from 'sklens';

declare global {
  interface Window {
    sklens: typeof api;
  }
}
