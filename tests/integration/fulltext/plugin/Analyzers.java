package embsearch;

import org.apache.lucene.analysis.Analyzer;
import org.apache.lucene.analysis.LowerCaseFilter;
import org.apache.lucene.analysis.Tokenizer;
import org.apache.lucene.analysis.cjk.CJKAnalyzer;
import org.apache.lucene.analysis.cjk.CJKBigramFilter;
import org.apache.lucene.analysis.standard.StandardAnalyzer;
import org.apache.lucene.analysis.standard.StandardTokenizer;
import org.elasticsearch.plugin.NamedComponent;
import org.elasticsearch.plugin.analysis.AnalyzerFactory;

/**
 * Analyzers under names that plugins give theirs, made of Lucene's own classes; the bare server core has none of them.
 *
 * Only {@code cjk} is what Elasticsearch has under its name. The others stand for the names: they have no dictionary,
 * and tell nothing about how good IK, kuromoji or smartcn are. They cut in ways that can be told apart.
 */
public class Analyzers {

    /** Pairs of characters. */
    @NamedComponent("cjk")
    public static class Pairs implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new CJKAnalyzer();
        }
    }

    /** Pairs, and each character by itself: finer than the one below, as IK's is than its other. */
    @NamedComponent("ik_max_word")
    public static class NamedIkMaxWord implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new PairsAndCharacters();
        }
    }

    /** Pairs alone. */
    @NamedComponent("ik_smart")
    public static class NamedIkSmart implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new CJKAnalyzer();
        }
    }

    /** Whole runs of katakana and of Hangul, all else one by one. */
    @NamedComponent("kuromoji")
    public static class NamedKuromoji implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new StandardAnalyzer();
        }
    }

    /** The same. */
    @NamedComponent("smartcn")
    public static class NamedSmartcn implements AnalyzerFactory {
        @Override
        public Analyzer create() {
            return new StandardAnalyzer();
        }
    }

    private static class PairsAndCharacters extends Analyzer {
        private static final int ALL =
            CJKBigramFilter.HAN | CJKBigramFilter.HIRAGANA | CJKBigramFilter.KATAKANA | CJKBigramFilter.HANGUL;

        @Override
        protected TokenStreamComponents createComponents(String field) {
            Tokenizer source = new StandardTokenizer();
            return new TokenStreamComponents(source, new CJKBigramFilter(new LowerCaseFilter(source), ALL, true));
        }
    }
}
