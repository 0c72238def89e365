import { mount } from 'svelte';
import * as sklens from 'sklens';
import App from './App.svelte';
import { keepOffline, trustOwnScripts } from './lib/secure';
import { begin } from './strings/language.svelte';
import './styles.css';

window.sklens = sklens;
trustOwnScripts();
// Nothing is shown in a language that the visitor did not ask for.
await begin();
document.querySelector('#waiting')?.remove();
mount(App, { target: document.body });
keepOffline();
