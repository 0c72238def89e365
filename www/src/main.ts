import { mount } from 'svelte';
import * as sklens from 'sklens';
import App from './App.svelte';
import './styles.css';

window.sklens = sklens;
mount(App, { target: document.body });
