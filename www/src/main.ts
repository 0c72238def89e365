import { mount } from 'svelte';
import * as sklens from 'sklens';
import App from './App.svelte';
import { t } from './strings';
import './styles.css';

document.documentElement.lang = t.language;
window.sklens = sklens;
mount(App, { target: document.body });
