// Ours: the page's types stop at the library.
declare const uPlot: any;
export default uPlot;
