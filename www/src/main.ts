import { mount } from 'svelte';
import * as sklens from 'sklens';
import App from './App.svelte';
import { keepOffline, trustOwnScripts } from './lib/secure';
import { t } from './strings';
import './styles.css';

document.documentElement.lang = t.language;
window.sklens = sklens;
trustOwnScripts();
mount(App, { target: document.body });
keepOffline();
