"""The topics of models/topic-classifier and the texts it learns them from, all written for this file:
terms of each topic, and patterns in which {} takes a term and the words in braces take a filler."""

FILLERS = {
    "day": ["on Monday", "this week", "on Friday night", "last month", "today", "yesterday", "this year"],
    "place": ["in the capital", "in the north", "abroad", "in Europe", "in Asia", "across the country", "overseas"],
    "who": ["officials", "experts", "critics", "reports", "a spokesman", "insiders", "analysts"],
    "how": ["sharply", "unexpectedly", "once more", "at last", "quietly", "for the first time", "again"],
}

TOPICS = {
    "world": {
        "terms": """war; ceasefire; rebels; suicide bomber; insurgents; embassy; refugees; border clash; militants; hostages;
            united nations; peacekeepers; peace talks; troops; air strike; roadside bomb; car bomb attack; prime minister abroad; foreign ministry;
            nuclear inspectors; sanctions against the regime; coup; civil war; humanitarian aid; earthquake victims; flood survivors;
            gunmen; kidnapping; prisoners of war; occupation; settlers; territory dispute; extradition; genocide tribunal;
            diplomats; separatists; guerrillas; typhoon death toll; ferry disaster; plane crash victims; terrorist cell; security forces;
            police raid; massacre; siege; exile leader; the pope; famine; warlord; disarmament treaty; state of emergency; curfew; hurricane;
            Iraq; Baghdad; Afghanistan; Gaza; Israel and Palestinians; Iran; North Korea; Sudan; Chechnya; Kashmir; Haiti; Syria; Ukraine; Pakistan;
            Turkey; Indonesia; Nigeria; Somalia; Colombia; European Union summit""",
        "patterns": """At least ten people were killed as {} shook the region {day};
            Thousands flee after {} {place}; Foreign leaders condemn {}; Government and opposition sign accord over {};
            {}: soldiers and civilians wounded {day}; Talks to end violence over {} resume {day}; Army says {} left dozens dead {place};
            United Nations envoy warns of {}; Two hostages freed amid {}; Protesters march against {} {place}; Explosion near checkpoint blamed on {};
            Ministers meet {place} to discuss {}""",
    },
    "politics": {
        "terms": """election; senate; congress; presidential campaign; ballot; voters; parliament; opposition party; republican candidate; democratic nominee;
            governor; mayor; legislation; veto; supreme court ruling; referendum; lobbying; cabinet reshuffle; impeachment; poll ratings;
            campaign finance; constitutional amendment; coalition government; local council; party convention; televised debate; electoral fraud;
            immigration bill; tax reform bill; white house; house of representatives; committee hearing; chancellor; minister resigns; attorney general;
            civil rights law; voting machines; primary; swing state; political scandal; budget vote; filibuster; ambassador nominee; gun control; abortion law;
            welfare reform; president's approval; liberal party; conservative party; labour party; senator""",
        "patterns": """Lawmakers vote on {} {day}; Candidates clash over {} in debate; President defends {} {day}; Poll shows voters split on {};
            Senate committee opens hearing on {}; Party leaders argue about {}; {} dominates the campaign; Governor signs measure on {};
            The opposition calls for inquiry into {}; {who} say {} could decide the election; Minister quits over {}; Court strikes down law on {}""",
    },
    "sports": {
        "terms": """football; touchdown; quarterback; home run; baseball; pitcher; basketball; playoff; world cup; goalkeeper; striker; cricket; wicket;
            batsman; tennis; grand slam; golf; birdie putt; olympic gold medal; marathon runner; swimmer; sprinter; doping ban; head coach; rookie; league title;
            championship; relegation; penalty shootout; hockey; rugby; grand prix; racing driver; cyclist; boxing champion; heavyweight; midfielder; season opener;
            injured knee; transfer fee for striker; stadium crowd; overtime victory; semifinal; quarterfinal; hat trick; innings; linebacker; free agent; draft pick;
            wide receiver; red sox; yankees; lakers; manchester united; real madrid; wimbledon; ryder cup; super bowl; world series; NBA; NFL; NHL lockout; athletes;
            gymnast; skier; referee; team captain; coach fired; winning streak; unbeaten run; final score; college football""",
        "patterns": """{} seals win in final minutes; Team beats rivals 3-1 after {}; Coach praises {} after victory {day};
            {} helps side reach final {day}; Champion loses in straight sets, {} to blame; Fans celebrate {} {day}; Club signs player after {};
            {}: scores and results {day}; Injury keeps star out of {}; Visitors rally to win 24-17 with {}; Season ends in defeat despite {};
            Player scores twice in {}; Record broken at {} {day}""",
    },
    "business": {
        "terms": """stocks; shares; earnings; quarterly profit; net loss; wall street; oil prices; crude oil; barrel; interest rates; federal reserve; inflation; economy;
            unemployment; jobs report; consumer spending; retail sales; merger; takeover bid; acquisition; bankruptcy; chief executive; shareholders;
            airline; automaker; bank; mortgage lender; insurance; pension fund; trade deficit; exports; dollar; euro; currency; bond yields; dow jones; nasdaq; initial public offering;
            dividend; revenue forecast; layoffs; job cuts; factory orders; manufacturing; housing market; accounting fraud; regulator fine; antitrust; hedge fund; investors;
            supplier contract; union strike over pay; retailer; supermarket chain; drugmaker shares; gas prices; tariffs; world trade organization; budget deficit; growth slows;
            restructuring; private equity; credit rating; securities; commodities; gold price; turnaround; labour costs; outsourcing; real estate""",
        "patterns": """{} rose {how} as investors bought shares {day}; Company reports higher profit on {}; {} drags stocks lower {day};
            Chief executive blames {} for quarterly loss; {who} expect {} to slow growth; Markets fall on fears over {}; Firm agrees $2 billion deal involving {};
            Analysts cut forecast, citing {}; Shares jump 5 percent after {}; Central bank watches {} closely; Workers face job cuts as {} weighs {day};
            Dollar slips on {}""",
    },
    "technology": {
        "terms": """software; internet; web browser; search engine; computer virus; microsoft windows; linux; open source; operating system; google; apple ipod; mobile phone; smartphone;
            broadband; wireless network; semiconductor; microprocessor; intel chip; security flaw; hackers; spam e-mail; phishing; spyware; online music download;
            video game console; playstation; xbox; nintendo; laptop; desktop computers; server; database; supercomputer; data storage; hard drive; encryption; programmers; developers;
            instant messaging; voice over internet; file sharing; digital camera; television screen; patch; update release; website; domain names; blog; e-commerce site; online auction;
            artificial intelligence; machine learning; robot; cloud computing; app store; social network; cyber attack; privacy settings; electronics maker; printer; gadget; memory chip; ibm; dell;
            yahoo; mozilla firefox; oracle; cisco; sun microsystems; telecom equipment; radio tags; handheld device; interface; algorithm; startup""",
        "patterns": """New version of {} released {day}; {} gets faster and cheaper; Users warned about {} {day}; Maker unveils {} for home computers;
            Software giant adds {} to its products; Hackers exploit {} {how}; {} goes online {day}; Review: {} tested; Programmers build {};
            Patch fixes bug in {}; How {} changes the way people work online; Device with {} and wireless link launched""",
    },
    "science": {
        "terms": """astronomers; spacecraft; nasa; space shuttle; mars rover; saturn moon; telescope; comet; asteroid; satellite launch; rocket; astronaut; space station; solar system;
            galaxy; black hole; physics; particle accelerator; quantum; chemistry; laboratory; researchers; fossil; dinosaur; archaeologists; ancient bones; human evolution; genome; dna; species;
            climate change; global warming; greenhouse gas; glacier; ice sheet; ozone layer; volcano; earthquake research; ocean currents; coral reef; whales; endangered animals; conservation; biologist;
            insects; birds; gorillas; biodiversity; rain forest; geology; mathematics; theorem; nobel prize in physics; nanotechnology; cloning; microbes; experiment; carbon dating; private spaceflight; moon mission;
            meteor; planets; sun's radiation; eclipse; gravity; wildlife; renewable energy research; fusion reactor; neanderthal; mammoth""",
        "patterns": """Scientists discover {} {day}; Study sheds light on {}; New evidence of {} found {place}; Researchers measure {} {how};
            Probe sends back images of {}; {} older than thought, study says; Team of scientists explains {}; Mission to study {} is launched;
            Rare {} observed {place}; Theory of {} confirmed by experiment; University researchers publish findings on {}""",
    },
    "health": {
        "terms": """vaccine; flu shot; cancer; breast cancer; heart disease; diabetes; obesity; hiv; aids; malaria; tuberculosis; bird flu; sars; epidemic; hospital; patients; surgeons; doctors; nurses; clinical trial;
            drug side effects; painkiller; arthritis drug; antidepressants; mental health; depression; alzheimer's disease; stroke; blood pressure; cholesterol; diet; nutrition; vitamins; exercise; smoking; tobacco;
            alcohol abuse; pregnancy; childbirth; infant mortality; asthma; allergy; stem cell therapy; transplant; antibiotics; infection; virus outbreak; food safety; mad cow disease; medicare; health insurance;
            nursing home; sleep; autism; prescription drugs; gene therapy; symptoms; diagnosis; screening; public health; fda approval; world health organization; lung; kidney; brain injury; hormone therapy""",
        "patterns": """Study links {} to higher risk of disease; Doctors warn about {} {day}; Patients with {} may benefit from new treatment;
            Health officials report rise in {}; {} raises death risk, researchers find; Hospital treats record number for {}; New drug for {} approved {day};
            Women who have {} live longer; Shortage of medicine for {} {place}; Children at risk from {}; Agency issues advice on {}""",
    },
    "entertainment": {
        "terms": """movie; film festival; box office; actor; actress; hollywood; director; album; pop singer; rapper; rock band; concert tour; guitar; television series; sitcom; reality show; talk show host;
            academy awards; oscar; emmy; grammy; celebrity wedding; celebrity divorce; broadway musical; theatre; opera; ballet; novel; bestseller; author; comic book; cartoon; animation; museum exhibition; painting; fashion model;
            supermodel; soap opera; premiere; sequel; soundtrack; hip hop; jazz; comedian; radio host; paparazzi; gossip; fans; disney; harry potter; star wars; beatles; britney; madonna; elvis; screenwriter; documentary film;
            literary prize; orchestra; dance; music video; red carpet; magician; circus; playwright; poet; thriller""",
        "patterns": """{} tops the charts {day}; Star of {} marries {day}; Review: {} delights the audience; {} opens in theatres {day};
            Singer and band announce {}; Critics love {}; Actress wins award for {}; {} returns to television {day}; Fans queue for {};
            Director plans film about {}; Show about {} cancelled after one season; Stars walk the red carpet for {}""",
    },
}


def phrases(block: str) -> list[str]:
    return [" ".join(phrase.split()) for phrase in block.split(";") if phrase.strip()]


def sentence(pattern: str, term: str, turn: int) -> str:
    """The pattern with its term and fillers; `turn` picks the fillers, so that they vary without chance."""
    text = pattern.replace("{}", term)
    for name, words in FILLERS.items():
        text = text.replace("{" + name + "}", words[turn % len(words)])
    return text


def labelled_texts() -> list[tuple[str, str]]:
    """(text, topic): every term alone, and in every pattern of its topic."""
    texts = []
    for topic, parts in TOPICS.items():
        patterns = phrases(parts["patterns"])
        for index, term in enumerate(phrases(parts["terms"])):
            texts.append((term, topic))
            texts += [(sentence(pattern, term, index + turn), topic) for turn, pattern in enumerate(patterns)]
    return texts
